"""Counts the different rows that a scan has read, for progress, in memory that does not grow with the account.

Windows overlap, and rounds read the same rows again, soon after each other. A row that is among the latest rows is
not counted again. What does not belong here: which rows are in a snapshot (`pipelines.pull.write`).
"""

from collections.abc import Hashable, Iterable

_REMEMBERED = 50_000


class Distinct:
    """A count of different keys, which remembers some of the latest."""

    def __init__(self) -> None:
        self.count = 0
        self._older: set[Hashable] = set()
        self._newer: set[Hashable] = set()

    def add(self, keys: Iterable[Hashable]) -> int:
        """Count keys that were not among the latest; return the count so far."""
        new = set(keys).difference(self._newer, self._older)
        self.count += len(new)
        self._newer |= new
        if len(self._newer) > _REMEMBERED:
            self._older, self._newer = self._newer, set()
        return self.count
