"""Which of a contact's rows in doubt were stored, by how much its totals grew: the arithmetic, and nothing else.

Each stored row adds 1 to conversion_count and its amount to revenue_total
(/api-reference/v2/history/import-revenue). What does not belong here: where the numbers come from (`settle`).
"""

from collections.abc import Sequence
from enum import Enum
from itertools import accumulate
from typing import NamedTuple

from schemas.money import CENT

_MOST_SUMS = 20_000
"""More partial sums than this are not followed: the rows stay in doubt."""

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
    if count < 0 or amount < -rounding or (count == 0 and amount > rounding):
        return unknown  # the numbers contradict one another: something else has happened to this contact
    most = amount + max(rounding, CENT)
    before = list(accumulate(kinds, lambda sums, kind: _reach(sums, kind, count, most), initial={(0, 0)}))
    after = list(
        accumulate(reversed(kinds), lambda sums, kind: _reach(sums, kind, count, most), initial={(0, 0)})
    )
    if any(len(sums) > _MOST_SUMS for sums in (*before, *after)):
        return unknown
    ends = [amount_of for rows, amount_of in before[-1] if rows == count]
    exact = {end for end in ends if abs(end - amount) <= rounding}
    near = exact or {end for end in ends if abs(end - amount) <= CENT}
    ranges = []
    for place, kind in enumerate(kinds):
        rest = after[len(kinds) - place - 1]
        possible = [
            stored
            for stored in range(kind.rows + 1)
            if any(
                (count - n - stored, end - a - stored * kind.amount) in rest
                for n, a in before[place]
                for end in near
            )
        ]
        if exact:
            ranges.append((possible[0], possible[-1]))
        else:
            ranges.append((0, max(_most_beside_others(kind, count, amount), *possible, 0)))
    return ranges


def fates(kind: Alike, fewest: int, most: int) -> list[Fate]:
    """The fates of the rows of a kind, which of them has which being of no matter."""
    open_rows = most - fewest
    return [Fate.STORED] * fewest + [Fate.OPEN] * open_rows + [Fate.ABSENT] * (kind.rows - most)


def _reach(sums: set[_Sum], kind: Alike, count: int, amount: int) -> set[_Sum]:
    """The sums with rows of one more kind, as far as they can still be part of the growth."""
    if len(sums) > _MOST_SUMS:
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
