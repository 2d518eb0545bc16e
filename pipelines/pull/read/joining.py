"""Joins two replies that share no row, by reading between them until a chain of shared rows connects them.

What does not belong here: which replies have to be joined, and what follows if they cannot be (`chain`).
"""

from dataclasses import dataclass, replace

from pipelines.pull.read.pages import PagedQuery, Slice, dated_apart, in_same_order
from pipelines.pull.read.windows import around, linked, reaches_further, top_of

_OUTWARD = (0, 0.5, -0.5, 1, -1, 2, -2)
"""Where to search for a lost neighbour, in pages from its expected place."""


class Joiner:
    """Joins the replies to one query.

    Args:
        paged: the query.
        by_date: join replies only where their dates prove it too, since rows of one date change places.

    Attributes:
        unsteady: whether rows were seen to change places: those of one date come in another order each time.
    """

    def __init__(self, paged: PagedQuery, *, by_date: bool) -> None:
        self.unsteady = by_date
        self._paged = paged
        self._by_date = by_date

    def are_linked(self, upper: Slice, lower: Slice) -> bool:
        """Whether two replies share a row in a way that proves that no row between them was missed."""
        if not linked(upper.keys, lower.keys):
            return False
        for keys in lower.replies or (lower.keys,):
            self.unsteady |= not in_same_order(upper.keys, keys)
        return not self._by_date or dated_apart(upper, lower)

    async def join(self, upper: Slice, lower: Slice | None, budget: "Budget") -> Slice | None:
        """Read between two replies until a chain of shared rows connects them.

        Args:
            upper: the reply where the chain ends so far.
            lower: the reply that it must reach; None for the end of the order.
            budget: bounds the requests.

        Returns:
            The reply that closes the gap; None if the budget is spent or no reply can be joined.
        """
        gap = _Gap(upper, lower, upper.stop + self._shift_since(upper), self._paged.largest)
        while gap.lower is None or not self.are_linked(gap.upper, gap.lower):
            found = await self._narrow(gap, budget)
            if not isinstance(found, _Gap):
                return found
            gap = found
        return gap.upper

    async def _narrow(self, gap: "_Gap", budget: "Budget") -> "_Gap | Slice | None":
        """Read around the edge of a gap until a reply joins one of its sides.

        Returns:
            The smaller gap; or the reply that closes it; or None, as in `join`.
        """
        for offset in _OUTWARD:
            if not budget.take():
                return None
            seen = await self._paged.ask(around(gap.edge + int(offset * gap.largest), gap.largest))
            above = self.are_linked(gap.upper, seen)
            below = gap.lower is not None and self.are_linked(seen, gap.lower)
            if (above and (below or seen.ends)) or (below and seen.window.start == 0):
                return seen  # it connects both sides, or reaches the end or the top
            if smaller := gap.narrowed(seen, above=above, below=below):
                return smaller
        return None

    def _shift_since(self, seen: Slice) -> int:
        """Return how far the order has moved since a reply, as far as totals show."""
        return 0 if self._paged.total is None or seen.total is None else self._paged.total - seen.total


@dataclass(frozen=True, slots=True)
class _Gap:
    """Two replies that are not joined yet.

    Attributes:
        upper: the reply above, or the replies joined to it.
        lower: the reply below; None for the end of the order.
        edge: the position to read around, in rows.
        largest: the most rows on one page.
    """

    upper: Slice
    lower: Slice | None
    edge: int
    largest: int

    def narrowed(self, seen: Slice, *, above: bool, below: bool) -> "_Gap | None":
        """Return the rest of the gap after a reply that makes it smaller; None if the reply does not.

        Args:
            seen: a reply from around the edge.
            above: whether it is linked to the upper side.
            below: whether it is linked to the lower side.
        """
        if above and reaches_further(seen.keys, self.upper.keys):
            return replace(self, upper=seen, edge=seen.stop)
        if below and self.lower is not None and top_of(seen.keys)[-1] not in self.lower.keys:
            return replace(self, lower=seen, edge=seen.window.start)
        return None


@dataclass(slots=True)
class Budget:
    """A bound on extra requests."""

    limit: int
    spent: int = 0

    def take(self) -> bool:
        """Take one request from the budget; return whether one was left."""
        if self.spent >= self.limit:
            return False
        self.spent += 1
        return True
