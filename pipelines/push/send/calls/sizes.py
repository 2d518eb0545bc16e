"""How large the next call may be, learned from calls that were cut off, or refused as too large.

    answered ──▶ twice as many rows, after several full calls that took far less than the time of a cut
    lost     ──▶ revenue without an answer: 50 rows or fewer, one call at a time until one is answered
    cut      ──▶ sends and clicks, which may be repeated: half as many rows, later a quarter
    too_large ─▶ half as many rows and bytes, for the rest of the run

What does not belong here: sending (`send.sender`), cutting rows into chunks (`chunks`), and the record of calls
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
"""Rows of the calls after a lost one. If the smallest is lost too, size is not the reason, and the steps restart."""

REVENUE_BYTES = 1_000_000
"""Most bytes of a call of revenue. Proxies often take no more than 1 MB, and their error page proves nothing: the
rows would be in doubt. A thousand rows of revenue have about 150 kB, so this limit makes no call smaller."""

_ENOUGH = 3
"""Full calls that must be answered in a row before calls grow; more are needed after each further loss."""

_MOST_PATIENCE = 24

_SAFE_SHARE = 0.6
"""Calls grow only if twice the slowest time is below this share of the time to the cut."""

_NEARLY_FULL = 0.8
"""A body counts as full from this share of its bytes: wide rows seldom fill it to the last byte."""

_OWN = 0.95
"""A call that lasted this share of our own time-out was cut off by it: clocks differ a little."""

_ALIKE = 0.2
"""Calls cut off after times that differ by at most this share were cut off by one time-out."""


TOO_LARGE = 413
"""The status for a body that is too large."""


def cut_note(seconds: float, own_limit: float) -> str:
    """Return the note for calls that are cut off after about the same time.

    Args:
        seconds: the time after which they are cut off.
        own_limit: our own time-out in seconds.
    """
    if seconds >= _OWN * own_limit:
        who = f"which is TRACKLY_TIMEOUT_SECONDS={own_limit:g}"
        remedy = "raise it where the account is slow"
    else:
        who = "probably by a proxy"
        remedy = "raise the proxy's time-out (nginx: proxy_read_timeout, haproxy: timeout server)"
    return (
        f"calls are cut off after about {seconds:.1f} s, {who}; smaller calls follow automatically."
        f" To make it faster, {remedy}."
    )


def too_large_note() -> str:
    """Return the note for calls that are refused for their size."""
    return (
        "calls are too large, probably for a proxy on the way (status 413); smaller ones follow automatically."
        " To make it faster, raise its limit on bodies to 5 MB (nginx: client_max_body_size 5m)."
    )


class Call(NamedTuple):
    """An earlier call of revenue.

    Attributes:
        rows: its number of rows.
        seconds: how long it lasted.
        answered: whether it had a usable answer.
    """

    rows: int
    seconds: float
    answered: bool


@dataclass(slots=True)
class Sizes:
    """The limits of calls of one dataset, in one run.

    Attributes:
        rows: the most rows of the next call.
        bytes: the most bytes of its body; a single row may have more.
        alone: whether no other call may be under way with the next one.
        begun: whether a call of this run has ended.
        cuts_in_a_row: calls cut off since the last answer; calls that were under way together count once.
        noted: notes that were logged already.
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
        """Seconds after which calls are cut off, if the last cut came after about the time of an earlier one."""
        alike = [
            seconds for seconds in self._cuts if abs(seconds - self._cuts[-1]) <= _ALIKE * self._cuts[-1]
        ]
        return fmean(alike) if len(alike) > 1 else None

    def answered(self, rows: int, size: int, seconds: float) -> None:
        """Note that a call was answered.

        Args:
            rows: records of the call.
            size: bytes of its body.
            seconds: from sending to the answer.
        """
        self.begun, self.alone, self.cuts_in_a_row = True, False, 0
        if rows < self.rows and size < _NEARLY_FULL * self.bytes:
            return  # a small call shows nothing about larger ones
        self._streak += 1
        self._slowest = max(self._slowest, seconds)
        if self._streak < self._need or self.rows >= self._most:
            return
        if not self._cuts or 2 * self._slowest < _SAFE_SHARE * self._cuts[-1]:
            self.rows = min(self.rows * 2, self._most)
        self._streak, self._slowest = 0, 0.0

    def lost(self, rows: int, seconds: float) -> None:
        """Note that a call of revenue had no usable answer, after so many seconds."""
        self._cut(rows, seconds, next((step for step in SMALL_STEPS if step < rows), SMALL_STEPS[0]))
        self.alone = True

    def cut(self, rows: int, seconds: float) -> None:
        """Note that a call that may be repeated had no usable answer, after so many seconds."""
        self._cut(rows, seconds, max(rows // (4 if self.cuts_in_a_row else 2), 1))

    def too_large(self, rows: int, size: int) -> None:
        """Note that a call was refused for its size: later calls of this run have at most half of its size."""
        self.begun = True
        if rows > 1:  # a single row says nothing about the others
            if rows >= self.rows:
                self._most = min(self._most, rows // 2)
                self.rows = min(self.rows, self._most)
            self.bytes = min(self.bytes, size // 2)
        self._streak = 0

    def replay(self, calls: Iterable[Call]) -> None:
        """Start from what earlier calls of revenue have shown, oldest first."""
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
            return  # the call was made before the last loss was known
        if self._shrunk:
            self._need = min(self._need * 2, _MOST_PATIENCE)
        self._shrunk, self._streak, self._slowest = True, 0, 0.0
        self.rows = min(smaller, self._most)
        self.cuts_in_a_row += 1
