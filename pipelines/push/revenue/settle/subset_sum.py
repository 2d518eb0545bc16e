"""Which of a contact's rows in doubt were stored, by how much its totals grew: the arithmetic, and nothing else.

Each stored row adds 1 to conversion_count and its amount to revenue_total
(/api-reference/v2/history/import-revenue). What does not belong here: where the numbers come from (`settle`).
"""

from collections.abc import Collection, Sequence
from enum import Enum
from itertools import accumulate
from typing import NamedTuple

from schemas.values.money import CENT

MOST_SUMS = 20_000
"""More partial sums than this are not followed, here and in `growth`: the rows stay in doubt."""

_Sum = tuple[int, int]  # how many rows, and their amount


class Fate(Enum):
    """What the numbers say of a row."""

    STORED = "stored"
    ABSENT = "absent"
    OPEN = "open"


class Alike(NamedTuple):
    """Rows that are the same to the API, so that it does not matter which of them were stored.

    Attributes:
        amount: of each.
        rows: how many.
    """

    amount: int
    rows: int


def explain(kinds: Sequence[Alike], count: int, amount: int, rounding: int = 0) -> list[tuple[int, int]]:
    """How many rows of each kind were stored, given a growth that nothing else is known to explain.

    A selection of rows that explains the growth to the last digit is the explanation; where several do, what
    they agree on is known. Where none does, other revenue arrived too, and all that is known is which rows
    cannot be in it. Rows that explain the growth but for a cent are not among those: it may have been rounded.

    Args:
        kinds: the rows in doubt.
        count: by how much conversion_count grew.
        amount: by how much revenue_total grew.
        rounding: by how much that is known to be off at most.

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
    """The amounts of so many rows that explain a growth but for rounding."""
    return {of for rows, of in sums if rows == count and abs(of - amount) <= rounding}


class _Around(NamedTuple):
    """The sums that the kinds before and after one can make."""

    before: set[_Sum]
    after: set[_Sum]

    def possible(self, kind: Alike, count: int, ends: Collection[int]) -> list[int]:
        """How many rows of the kind may be stored, so that all together make one of some amounts.

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
    """The fates of the rows of a kind, which of them has which being of no matter.

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
    """The sums that none, the first, the first two ... kinds can make."""
    return list(accumulate(kinds, lambda sums, kind: _reach(sums, kind, count, most), initial={(0, 0)}))


def _reach(sums: set[_Sum], kind: Alike, count: int, amount: int) -> set[_Sum]:
    """The sums with rows of one more kind, as far as they can still be part of the growth."""
    if len(sums) > MOST_SUMS:
        return sums
    return {
        (n + stored, a + stored * kind.amount)
        for n, a in sums
        for stored in range(kind.rows + 1)
        if n + stored <= count and a + stored * kind.amount <= amount
    }


def _most_beside_others(kind: Alike, count: int, amount: int) -> int:
    """Other revenue is at least one conversion, of zero or more."""
    most = max(count - 1, 0)
    return min(kind.rows, most, amount // kind.amount if kind.amount else most)
