"""The growth of totals beyond the acknowledged revenue, and the rows that can be part of it.

What does not belong here: rows that are found in it (`turned_up_late`), and totals between readings (`interval`).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipelines.push.ledger.queries.revenue.absent import Counted, Entry
from pipelines.push.ledger.totals_readings import Totals
from pipelines.push.revenue.settle.subset_sum import MOST_SUMS
from schemas.values.money import CENT


class Level(NamedTuple):
    """Totals to compare: those of a contact on a list, or of all contacts with its phone number."""

    then: Totals
    now: Totals
    rows: list[Counted]


class Rest(NamedTuple):
    """The growth of totals beyond the acknowledged revenue.

    Attributes:
        conversions, amount: the growth beyond what was acknowledged.
        grew, acknowledged: conversions of the whole growth, and acknowledged ones.
        may_be: amounts of rows that may be part of it.
        rounding: by how much the amount may be off.
    """

    conversions: int
    amount: int
    grew: int
    acknowledged: int
    may_be: list[int]
    rounding: int

    def is_near(self, conversions: int, amount: int) -> bool:
        """Return whether this many rows with this amount together are the whole rest."""
        return conversions == self.conversions and abs(self.amount - amount) <= self.rounding


def rest_of(first: Entry, level: Level, times: tuple[str, str]) -> Rest:
    """Return the growth since the reading of an entry beyond the revenue acknowledged since.

    Args:
        first: the entry.
        level: the totals of both readings, and the rows that count in them, or may.
        times: when the present reading began and ended; ISO 8601, UTC.
    """
    start_from, start_to = str(first.read_from), str(first.read_to)
    sure: list[int] = []
    may_be: list[int] = []
    for row in level.rows:
        if row.ended_at <= start_from or row.intended_at >= times[1]:
            continue  # the row is in the earlier totals, or not in the present ones
        inside = row.accepted and row.intended_at >= start_to and row.ended_at <= times[0]
        (sure if inside else may_be).append(row.amount)
    conversions, amount = (
        level.now.conversions - level.then.conversions,
        level.now.amount - level.then.amount,
    )
    whole = level.then.amount % CENT == level.now.amount % CENT == 0
    fractions = sum(each % CENT > 0 for each in (*sure, *may_be, first.amount))
    return Rest(
        conversions=conversions - len(sure),
        amount=amount - sum(sure),
        grew=conversions,
        acknowledged=len(sure),
        may_be=may_be,
        rounding=CENT * fractions if whole else 0,
    )


def is_clear(rows: Sequence[Counted], times: tuple[str, str]) -> bool:
    """Return whether it is certain for each row whether a reading includes it.

    Args:
        rows: the rows of one contact.
        times: when the reading began and ended; ISO 8601, UTC.
    """
    return all(row.ended_at <= times[0] or row.intended_at >= times[1] for row in rows)


def choices(amounts: Sequence[int]) -> Iterator[tuple[tuple[int, int], tuple[int, ...]]]:
    """Yield each pair of row count and sum that a choice of rows (at least one) makes, with one such choice."""
    sums: dict[tuple[int, int], tuple[int, ...]] = {(0, 0): ()}
    for place, each in enumerate(amounts):
        if len(sums) > MOST_SUMS:
            break
        for (count, amount), chosen in list(sums.items()):
            sums.setdefault((count + 1, amount + each), (*chosen, place))
    del sums[0, 0]
    yield from sums.items()


def sums_of(amounts: Sequence[int]) -> set[tuple[int, int]]:
    """Return the number of rows and the sum for every choice of rows, also of none."""
    return {(0, 0)} | {both for both, _ in choices(amounts)}
