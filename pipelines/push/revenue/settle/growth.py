"""What totals grew by beyond what was acknowledged, and which rows can be in that.

What does not belong here: rows that turned up so (`turned_up_late`), and totals between readings (`interval`).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipelines.push.ledger.queries.revenue.absent import Counted, Entry
from pipelines.push.ledger.totals_readings import Totals
from pipelines.push.revenue.settle.subset_sum import MOST_SUMS
from schemas.values.money import CENT


class Level(NamedTuple):
    """Totals to be compared: those of a contact on a list, or of all contacts of its phone number."""

    then: Totals
    now: Totals
    rows: list[Counted]


class Rest(NamedTuple):
    """What totals grew by beyond what was acknowledged.

    Attributes:
        conversions, amount: by how much.
        grew, acknowledged: the conversions of both.
        may_be: amounts of rows that may be in it.
        rounding: by how much the amount may be off.
    """

    conversions: int
    amount: int
    grew: int
    acknowledged: int
    may_be: list[int]
    rounding: int

    def is_near(self, conversions: int, amount: int) -> bool:
        """Whether so many rows of so much together are all of it."""
        return conversions == self.conversions and abs(self.amount - amount) <= self.rounding


def rest_of(first: Entry, level: Level, times: tuple[str, str]) -> Rest:
    """What totals grew by since the reading of an entry beyond what was acknowledged since.

    Args:
        first: the entry.
        level: the totals of both readings, and what counts in them, or may.
        times: when the reading of now began and ended; ISO 8601, UTC.
    """
    start_from, start_to = str(first.read_from), str(first.read_to)
    sure: list[int] = []
    may_be: list[int] = []
    for row in level.rows:
        if row.ended_at <= start_from or row.intended_at >= times[1]:
            continue  # it was in the earlier totals, or is not in those of now
        inside = row.accepted and row.intended_at >= start_to and row.ended_at <= times[0]
        (sure if inside else may_be).append(row.amount)
    conversions, amount = (
        level.now.conversions - level.then.conversions,
        level.now.amount - level.then.amount,
    )
    whole = level.then.amount % CENT == level.now.amount % CENT == 0
    fractions = sum(each % CENT > 0 for each in (*sure, *may_be, first.amount))
    return Rest(
        conversions - len(sure),
        amount - sum(sure),
        conversions,
        len(sure),
        may_be,
        CENT * fractions if whole else 0,
    )


def is_clear(rows: Sequence[Counted], times: tuple[str, str]) -> bool:
    """Whether it is certain of each of some rows if a reading has it.

    Args:
        rows: those of one contact.
        times: when the reading began and ended; ISO 8601, UTC.
    """
    return all(row.ended_at <= times[0] or row.intended_at >= times[1] for row in rows)


def choices(amounts: Sequence[int]) -> Iterator[tuple[tuple[int, int], tuple[int, ...]]]:
    """For each number of rows and amount together that a choice of at least one makes: the places of one choice."""
    sums: dict[tuple[int, int], tuple[int, ...]] = {(0, 0): ()}
    for place, each in enumerate(amounts):
        if len(sums) > MOST_SUMS:
            break
        for (count, amount), chosen in list(sums.items()):
            sums.setdefault((count + 1, amount + each), (*chosen, place))
    del sums[0, 0]
    yield from sums.items()


def sums_of(amounts: Sequence[int]) -> set[tuple[int, int]]:
    """How many of some rows, and their amount together, for every choice of them."""
    return {(0, 0)} | {both for both, _ in choices(amounts)}
