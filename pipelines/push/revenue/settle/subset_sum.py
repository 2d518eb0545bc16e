"""Which of a contact's rows in doubt were stored, by the growth of its totals: only the arithmetic.

Each stored row adds 1 to conversion_count and its amount to revenue_total
(/api-reference/v2/history/import-revenue). What does not belong here: where the numbers come from (`settle`).
"""

from collections.abc import Collection, Sequence
from enum import Enum
from itertools import accumulate
from typing import NamedTuple

from schemas.values.money import CENT

MOST_SUMS = 20_000
"""Most partial sums that are followed, here and in `growth`; beyond them the rows stay in doubt."""

_Sum = tuple[int, int]  # number of rows, and their amount


class Fate(Enum):
    """What the totals say about a row."""

    STORED = "stored"
    ABSENT = "absent"
    OPEN = "open"


class Alike(NamedTuple):
    """Rows that are the same to the API, so that it does not matter which of them were stored.

    Attributes:
        amount: the amount of each.
        rows: their number.
    """

    amount: int
    rows: int


def explain(kinds: Sequence[Alike], count: int, amount: int, rounding: int = 0) -> list[tuple[int, int]]:
    """Return how many rows of each kind were stored, given the growth beyond the acknowledged revenue.

    A selection of rows that makes the growth exactly is the explanation; if several do, only what they have in common
    is known. If none does, other revenue arrived too, and it is known only which rows cannot be part of the growth.
    Rows that make the growth up to a cent can be part of it: the amount may have been rounded.

    Args:
        kinds: the rows in doubt.
        count: the growth of conversion_count.
        amount: the growth of revenue_total.
        rounding: by how much the amount is known to be off at most.

    Returns:
        For each kind, the fewest and the most rows that may have been stored.
    """
    unknown = [(0, kind.rows) for kind in kinds]
    if _contradict(count, amount, rounding):
        return unknown  # something else has happened to this contact
    most = amount + max(rounding, CENT)
    before, after = _all_sums(kinds, count, most), _all_sums(kinds[::-1], count, most)
    if max(map(len, (*before, *after))) > MOST_SUMS:
        return unknown
    exact = _near(before[-1], count, amount, rounding)
    near = exact or _near(before[-1], count, amount, CENT)
    around = map(_Around, before, after[-2::-1])
    possible = [sums.possible(kind, count, near) for kind, sums in zip(kinds, around, strict=True)]
    if exact:
        return [(numbers[0], numbers[-1]) for numbers in possible]
    return [(0, _most(kind, numbers, count, amount)) for kind, numbers in zip(kinds, possible, strict=True)]


def _most(kind: Alike, possible: Sequence[int], count: int, amount: int) -> int:
    return max(_most_beside_others(kind, count, amount), *possible, 0)


def _near(sums: Collection[_Sum], count: int, amount: int, rounding: int) -> set[int]:
    """Return the sums of exactly `count` rows that differ from an amount by the rounding at most."""
    return {total for rows, total in sums if rows == count and abs(total - amount) <= rounding}


class _Around(NamedTuple):
    """The sums that the kinds before and after one kind can make."""

    before: set[_Sum]
    after: set[_Sum]

    def possible(self, kind: Alike, count: int, ends: Collection[int]) -> list[int]:
        """Return the numbers of rows of a kind that may be stored so that all rows together make one of the amounts.

        Args:
            kind: the rows.
            count: conversions of the growth.
            ends: amounts in units, each of which may be the growth's.
        """
        return [stored for stored in range(kind.rows + 1) if self._can_make(kind, stored, count, ends)]

    def _can_make(self, kind: Alike, stored: int, count: int, ends: Collection[int]) -> bool:
        return any(
            (count - n - stored, end - a - stored * kind.amount) in self.after
            for n, a in self.before
            for end in ends
        )


def fates(kind: Alike, fewest: int, most: int) -> list[Fate]:
    """Return the fates of the rows of a kind; it does not matter which row gets which.

    Args:
        kind: the rows.
        fewest: how many are stored at least.
        most: how many may be stored.
    """
    open_rows = most - fewest
    return [Fate.STORED] * fewest + [Fate.OPEN] * open_rows + [Fate.ABSENT] * (kind.rows - most)


def _contradict(count: int, amount: int, rounding: int) -> bool:
    return count < 0 or amount < -rounding or (count == 0 and amount > rounding)


def _all_sums(kinds: Sequence[Alike], count: int, most: int) -> list[set[_Sum]]:
    """Return the sums that no kind, the first, the first two and so on can make."""
    return list(accumulate(kinds, lambda sums, kind: _reach(sums, kind, count, most), initial={(0, 0)}))


def _reach(sums: set[_Sum], kind: Alike, count: int, amount: int) -> set[_Sum]:
    """Return the sums with rows of one more kind, without those beyond the growth."""
    if len(sums) > MOST_SUMS:
        return sums
    return {
        (n + stored, a + stored * kind.amount)
        for n, a in sums
        for stored in range(kind.rows + 1)
        if n + stored <= count and a + stored * kind.amount <= amount
    }


def _most_beside_others(kind: Alike, count: int, amount: int) -> int:
    """Return the most rows of a kind if there is other revenue, which is one conversion or more, of zero or more."""
    most = max(count - 1, 0)
    return min(kind.rows, most, amount // kind.amount if kind.amount else most)
