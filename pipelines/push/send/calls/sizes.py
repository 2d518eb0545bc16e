"""How large the next call may be, learned from calls that were cut off, or refused as too large.

    answered ──▶ twice as many rows, once several full calls were answered, and in well under the time to the cut
    lost     ──▶ revenue without an answer: tens of rows, one call at a time until one is answered
    cut      ──▶ sends and clicks, which may be repeated: half as many rows, later a quarter
    too_large ─▶ half as many rows and bytes, for the rest of the run

What does not belong here: sending (`send.sender`), cutting rows into chunks (`chunks`), and what is on record
(`ledger`).
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple

from pipelines.trackly.imports import MAX_BODY_BYTES, MAX_RECORDS
from pipelines.trackly.retries import SHORTEST_CUT

SMALL_STEPS = (50, 20, 5, 1)
"""Rows of the calls after a lost one. When the smallest is lost too, size is not the reason, and it begins again."""

REVENUE_BYTES = 1_000_000
"""Most bytes of a call of revenue. Proxies often take no more than 1 MB, and a page that says so proves nothing: its
rows would be in doubt. A thousand rows of revenue have about 150 kB, so that this costs no call."""

_ENOUGH = 3
"""Full calls that must be answered in a row before calls grow; more after each further loss."""

_MOST_PATIENCE = 24

_SAFE_SHARE = 0.6
"""Share of the time to the cut that a larger call may be expected to take."""

_NEARLY_FULL = 0.8
"""Share of the bytes: wide rows seldom fill a body to the last one."""

_OWN = 0.95
"""Share of our own time-out from which on a call was cut off by that: clocks differ a little."""

_ALIKE = 0.2
"""Calls that were cut off after times within this share of each other were cut off by a time-out."""


TOO_LARGE = 413
"""The status for a body that is too large."""


def cut_note(seconds: float, own_limit: float) -> str:
    """What to say of calls that are cut off after about the same time.

    Args:
        seconds: after how many.
        own_limit: after how many seconds without a reply we give up ourselves.
    """
    if seconds >= _OWN * own_limit:
        who = f"which is TRACKLY_TIMEOUT_SECONDS={own_limit:g}"
        remedy = "raise it where the account is slow"
    else:
        who = "probably by a proxy"
        remedy = "raise the proxy's time-out (nginx: proxy_read_timeout, haproxy: timeout server)"
    return (
        f"calls are cut off after about {seconds:.1f} s, {who}; smaller calls follow by themselves."
        f" To make it faster, {remedy}."
    )


def too_large_note() -> str:
    """What to say of calls that are refused for their size."""
    return (
        "calls are too large, probably for a proxy on the way (status 413); smaller ones follow by themselves."
        " To make it faster, raise its limit on bodies to 5 MB (nginx: client_max_body_size 5m)."
    )


class Call(NamedTuple):
    """An earlier call of revenue.

    Attributes:
        rows: how many it had.
        seconds: how long it lasted.
        answered: whether it had a usable answer.
    """

    rows: int
    seconds: float
    answered: bool


@dataclass(slots=True)
class Sizes:
    """What calls of one dataset may be like, in one run.

    Attributes:
        rows: the most rows of the next call.
        bytes: the most bytes of its body; one row alone may have more.
        alone: whether the next call is to be made without others beside it.
        begun: whether a call of this run has ended.
        cuts_in_a_row: calls without an answer since the last one; those that were under way together count once.
        noted: what was logged already.
    """

    rows: int = MAX_RECORDS
    bytes: int = MAX_BODY_BYTES
    alone: bool = False
    begun: bool = False
    cuts_in_a_row: int = 0
    noted: set[str] = field(default_factory=set)
    _most: int = MAX_RECORDS
    _need: int = _ENOUGH
    _streak: int = 0
    _slowest: float = 0.0
    _shrunk: bool = False
    _cuts: deque[float] = field(default_factory=lambda: deque(maxlen=8))

    @property
    def cut_after(self) -> float | None:
        """After how many seconds calls are cut off, where the last one was cut off like another one before it."""
        alike = [
            seconds for seconds in self._cuts if abs(seconds - self._cuts[-1]) <= _ALIKE * self._cuts[-1]
        ]
        return fmean(alike) if len(alike) > 1 else None

    def answered(self, rows: int, size: int, seconds: float) -> None:
        """A call of so many rows and bytes was answered after so long.

        Args:
            rows: records of the call.
            size: bytes of its body.
            seconds: from sending to the answer.
        """
        self.begun, self.alone, self.cuts_in_a_row = True, False, 0
        if rows < self.rows and size < _NEARLY_FULL * self.bytes:
            return  # it shows nothing about larger calls
        self._streak += 1
        self._slowest = max(self._slowest, seconds)
        if self._streak < self._need or self.rows >= self._most:
            return
        if not self._cuts or 2 * self._slowest < _SAFE_SHARE * self._cuts[-1]:
            self.rows = min(self.rows * 2, self._most)
        self._streak, self._slowest = 0, 0.0

    def lost(self, rows: int, seconds: float) -> None:
        """A call of revenue had no usable answer, after so long."""
        self._cut(rows, seconds, next((step for step in SMALL_STEPS if step < rows), SMALL_STEPS[0]))
        self.alone = True

    def cut(self, rows: int, seconds: float) -> None:
        """A call that may be repeated had no usable answer, after so long."""
        self._cut(rows, seconds, max(rows // (4 if self.cuts_in_a_row else 2), 1))

    def too_large(self, rows: int, size: int) -> None:
        """A call was refused for its size: no later one of this run has more than half of that."""
        self.begun = True
        if rows > 1:  # one row alone says nothing about the others
            if rows >= self.rows:
                self._most = min(self._most, rows // 2)
                self.rows = min(self.rows, self._most)
            self.bytes = min(self.bytes, size // 2)
        self._streak = 0

    def replay(self, calls: Iterable[Call]) -> None:
        """Begin with what earlier calls of revenue have shown, oldest first."""
        for rows, seconds, answered in calls:
            if answered:
                self.answered(rows, 0, seconds)
            else:
                self.lost(rows, seconds)
        self.begun, self.cuts_in_a_row = False, 0

    def _cut(self, rows: int, seconds: float, smaller: int) -> None:
        self.begun = True
        if seconds >= SHORTEST_CUT:
            self._cuts.append(seconds)
        if rows > self.rows:
            return  # it was made before the last loss was known
        if self._shrunk:
            self._need = min(self._need * 2, _MOST_PATIENCE)
        self._shrunk, self._streak, self._slowest = True, 0, 0.0
        self.rows = min(smaller, self._most)
        self.cuts_in_a_row += 1
