"""When so many calls of revenue in a row had no usable answer that no more is sent for now.

What does not belong here: what becomes of the rows of such a call (`ledger`), and how large the next one may be
(`sizes`).
"""

from dataclasses import dataclass

MOST_LOST = 4
"""After so many calls in a row without a usable answer no more revenue is sent for now: each would be in doubt."""

_MOST_QUICKLY_LOST = 4 * MOST_LOST
_QUICK = 20.0
"""Seconds. As long as lost calls have cost no more than that, some more of them are made."""


@dataclass(slots=True)
class Losses:
    """Calls without a usable answer since the last one that had one.

    Attributes:
        calls: how many.
        seconds: what they have cost together.
    """

    calls: int = 0
    seconds: float = 0.0

    def answered(self) -> None:
        """A call had a usable answer."""
        self.calls, self.seconds = 0, 0.0

    def lost(self, seconds: float) -> None:
        """A call had none, after so long."""
        self.calls += 1
        self.seconds += seconds

    @property
    def are_too_many(self) -> bool:
        """Whether no more is to be sent for now."""
        return self.calls >= (MOST_LOST if self.seconds > _QUICK else _MOST_QUICKLY_LOST)
