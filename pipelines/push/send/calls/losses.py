"""Decides when so many calls of revenue in a row had no usable answer that sending stops for now.

What does not belong here: the outcome of the rows of such calls (`ledger`), and how large the next call may be
(`sizes`).
"""

from dataclasses import dataclass

MOST_LOST = 4
"""Calls in a row without a usable answer after which revenue stops for now: each further row would be in doubt."""

_MOST_QUICKLY_LOST = 4 * MOST_LOST
_QUICK = 20.0
"""Seconds. If the lost calls together took no longer than this, some more calls are made."""


@dataclass(slots=True)
class Losses:
    """Calls without a usable answer, since the last call that had one.

    Attributes:
        calls: their number.
        seconds: the time that they took together.
    """

    calls: int = 0
    seconds: float = 0.0

    def answered(self) -> None:
        """Note that a call had a usable answer."""
        self.calls, self.seconds = 0, 0.0

    def lost(self, seconds: float) -> None:
        """Note that a call had no usable answer, after so many seconds."""
        self.calls += 1
        self.seconds += seconds

    @property
    def are_too_many(self) -> bool:
        """Whether sending stops for now."""
        return self.calls >= (MOST_LOST if self.seconds > _QUICK else _MOST_QUICKLY_LOST)
