"""Reads overlapping windows of one query concurrently, and joins them to a chain from the top to the end.

Windows are planned to share rows (`windows` explains why a shared row is a proof). Neighbours that share no row are
joined by reading between them (`joining`), within a budget. At the end, the top is read once more. What does not
belong here: the case that the chain is shorter than the API's total, and pages that cannot overlap (`scan`).
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise

from pipelines.process.concurrent import run_all
from pipelines.pull.read.joining import Budget, Joiner
from pipelines.pull.read.pages import FixedPages, PagedQuery, Slice, leaves_open
from pipelines.pull.read.windows import Window, ending_of, plan, reaches_further, top_of
from pipelines.text.humanize import plural

TOP_ROWS = 100
"""Rows of the last read of the top: at least the sign-ups during a scan should fit."""

_WINDOWS_NEAR_TOP = 10
"""Windows that the last read of the top may join, if the rows of the first window are gone."""

LEAST_EXTRA = 60
"""Extra requests that even a small scan may make; a large scan may make as many as it planned."""

_MOST_GROWTH = 8
"""How many times the account's initial number of pages may be read, if it grows faster than it is read."""

_MOST_GAPS = LEAST_EXTRA * _MOST_GROWTH
"""Replies that lead no further down, after which an account without a total counts as growing too fast."""


@dataclass(slots=True)
class Evidence:
    """The evidence of a scan, from which its consistency is judged.

    Attributes:
        requests: all replies read.
        extra_requests: those beyond the planned ones: to join windows, and to read the top again.
        complete: whether a chain of replies that share rows reaches from the top to the end.
        drifted: whether the account was seen to change during the scan.
        total: the number of rows that the API gave last; None if it gives none.
        confirmed: whether the number of rows served differs from the total and was the same twice.
        notes: observations, for people.
        proved: digests of first pages after which no more rows came, so that they hold all rows.
    """

    requests: int = 0
    extra_requests: int = 0
    complete: bool = True
    drifted: bool = False
    total: int | None = None
    confirmed: bool = False
    notes: list[str] = field(default_factory=list)
    proved: set[int] = field(default_factory=set)


async def first_slice(paged: PagedQuery) -> Slice:
    """Read the first page; if the server gives fewer rows per page than requested, as a full page of that size.

    A page with more rows than requested has all rows.

    Raises:
        FixedPages: the server gives pages of one size, which is larger than requested.
    """
    top = await paged.ask(Window(1, paged.largest))
    if not leaves_open(top) or hash(top.keys) in paged.proved:
        return top
    rows = len(top.keys)
    beyond = await paged.ask(Window(2, rows), may_be_last=True)
    if set(beyond.keys) <= set(top.keys):  # no rows, or rows that were just pushed down
        again = await paged.ask(top.window)
        if again.keys == top.keys:
            paged.proved.add(hash(top.keys))
            return top
    if rows > top.window.per_page:
        raise FixedPages(rows)
    paged.largest = rows
    return replace(top, window=Window(1, rows))


@dataclass(frozen=True, slots=True)
class Chained:
    """The result of reading a query once.

    Attributes:
        reached: the position of the end of the order, in rows; 0 if the replies could not be joined to it.
        spent: extra requests, beyond the planned ones.
        unsteady: whether rows of one date were seen to change their order between replies.
        not_served: rows beyond the end that the last reply's total claims.
    """

    reached: int
    spent: int = 0
    unsteady: bool = False
    not_served: int = 0


async def read_chain(
    paged: PagedQuery, evidence: Evidence, concurrency: int, *, by_date: bool = False
) -> Chained:
    """Read every row of a query and join the replies to a chain.

    Args:
        paged: the query.
        evidence: added to.
        concurrency: how many requests to keep under way.
        by_date: join replies only if their dates prove it too, since rows of one date change their order.

    Raises:
        FixedPages: the server gives pages of one size, which cannot overlap.
        AccessError, RequestError, ServiceError: as `scan.scan`.
    """
    top = await first_slice(paged)
    if _is_everything(top):
        return Chained(len(top.keys), unsteady=by_date)
    paged.know_first(top)
    return await _Chain(paged, evidence, top, by_date=by_date).read(concurrency)


class _Chain:
    """The replies of a query that is read once.

    Args:
        paged: the query.
        evidence: added to.
        top: the first page.
        by_date: see `read_chain`.
    """

    def __init__(self, paged: PagedQuery, evidence: Evidence, top: Slice, *, by_date: bool) -> None:
        self._paged = paged
        self._evidence = evidence
        self._top = top
        self._joiner = Joiner(paged, by_date=by_date)
        self._near_top: dict[int, Slice] = {}
        self._open: dict[int, Slice] = {}
        """Replies by their place in the plan, each kept until it is joined to both neighbours."""
        self._filled: list[int] = []
        """Places whose reply had rows; the top one has."""
        self._endings: set[int] = set()
        """A digest of how each reply ends, from its last row with a key on."""
        self._joined: set[int] = set()
        """Places whose reply shares a row with the one after it."""
        self._onward = 0
        """How many of them are followed by one that reaches further."""
        self._not_served = 0

    async def read(self, concurrency: int) -> Chained:
        """Read the planned windows, and join their replies; see `read_chain`."""
        planned = await self._read_plan(concurrency)
        budget = Budget(max(LEAST_EXTRA, planned))
        chained_from, end = await self._join_all(budget)
        chained = end is not None and await self._join_top(chained_from, budget)
        spent = budget.spent
        if not chained:
            await self._see_whether_fixed()
            self._give_up(budget)
        return Chained(end or 0, spent, self._joiner.unsteady, self._not_served)

    async def _see_whether_fixed(self) -> None:
        """Request half of the first page.

        Raises:
            FixedPages: more rows came, so the server's pages cannot overlap.
        """
        half = await self._paged.ask(Window(1, max(1, len(self._top.keys) // 2)))
        if len(half.keys) > half.window.per_page:
            raise FixedPages(len(half.keys))

    def _give_up(self, budget: Budget) -> None:
        """Note that the replies could not be joined.

        Raises:
            RequestError: a page was refused that is not beyond the end.
        """
        if self._paged.refusal:
            raise self._paged.refusal
        self._evidence.complete = False
        why = "; rows of one date change places" if self._joiner.unsteady else ""
        self._evidence.notes.append(
            f"{self._paged.path}: replies could not be joined within {plural(budget.spent, 'extra request')}{why}"
        )

    async def _read_plan(self, concurrency: int) -> int:
        """Read the planned windows below the top one; return the number of replies."""
        top = self._top
        self._note(0, top)
        places = enumerate(plan(self._paged.largest))
        _, previous = next(places)
        most = LEAST_EXTRA + _MOST_GROWTH * (top.total or 0) // self._paged.largest
        ended, believed = False, True

        async def work() -> None:
            nonlocal previous, ended
            while not ended:
                total = self._paged.total if believed else None
                if total is not None and previous.stop > total:
                    break
                place, previous = next(places)
                seen = await self._paged.ask(previous, fresh=False)
                gaps = 0 if total is not None else place - self._onward
                ended |= self._is_last(seen) or (total is not None and place >= most)
                ended |= gaps > max(_MOST_GAPS, place // 2)
                self._note(place, seen)

        await run_all(work() for _ in range(concurrency))
        if not ended and self._goes_on():
            believed = False
            await run_all(work() for _ in range(concurrency))
        return next(places)[0]

    def _goes_on(self) -> bool:
        """Whether the last reply is full beyond the total, so that the total does not show the end."""
        tail = self._open[max(self._filled)]
        return not tail.ends and tail.total is not None and tail.stop > tail.total

    def _is_last(self, seen: Slice) -> bool:
        """Whether a reply is the last one: it is empty, or ends as an earlier reply does."""
        ending = hash(ending_of(seen.keys))
        if not seen.keys or ending in self._endings:
            return True
        self._endings.add(ending)
        return seen.ends and seen.total is not None and seen.window.stop >= seen.total

    def _note(self, place: int, seen: Slice) -> None:
        """Compare a reply with its neighbours, and drop replies that are joined on both sides."""
        self._open[place] = seen
        if seen.keys:
            self._filled.append(place)
        if place < _WINDOWS_NEAR_TOP:
            self._near_top[place] = seen
        self._compare(place - 1)
        self._compare(place)
        for done in (place - 1, place, place + 1):
            if done in self._joined and done - 1 in self._joined:
                self._open.pop(done, None)

    def _compare(self, upper: int) -> None:
        """Compare the reply at a place with the next one, once both are there."""
        above, below = self._open.get(upper), self._open.get(upper + 1)
        if above is None or below is None:
            return
        if _overlap(above, below):
            self._evidence.drifted |= not _overlap_alike(above, below)
        if self._joiner.are_linked(above, below):
            self._joined.add(upper)
            self._onward += reaches_further(below.keys, above.keys)

    async def _join_all(self, budget: Budget) -> tuple[int, int | None]:
        """Join the neighbours that share no row, and the last reply to the end.

        Args:
            budget: bounds the extra requests.

        Returns:
            The place from which all replies are joined, 0 if all are; and the position of the end, None if the last
            reply could not be joined to it.
        """
        chained_from = 0
        for place, following in pairwise(sorted(self._filled)):
            if place in self._joined:
                continue
            self._evidence.drifted |= not _overlap_alike(self._open[place], self._open[following])
            if not await self._joiner.join(self._open[place], self._open[following], budget):
                chained_from = following
        tail = self._open[max(self._filled)]
        end = tail if tail.ends else await self._joiner.join(tail, None, budget)
        if end is not None and end.total is not None:
            self._not_served = end.total - end.stop
        return chained_from, end.stop if end else None

    async def _join_top(self, chained_from: int, budget: Budget) -> bool:
        """Read the top once more, for rows that came or moved there since; return whether they join the rest.

        All rows near the top may be gone, so that no reply can be joined to them. The rows that are at the top now
        may still join the replies that are chained to the end.
        """
        budget.spent += 1
        look = await self._look_at_top()
        same = top_of(look.keys) == top_of(self._top.keys[: len(look.keys)])
        self._evidence.drifted |= look.total != self._top.total or not same
        if same and chained_from == 0:
            return True
        lower = self._near_top_from(chained_from)
        while True:
            before = budget.spent
            if await self._joiner.join(look, lower, budget) is None:
                return False
            if budget.spent == before or not budget.take():
                return budget.spent == before  # otherwise rows may have moved up while the two were joined
            lower, look = look, await self._look_at_top()

    def _near_top_from(self, chained_from: int) -> Slice:
        """Return the replies near the top that are chained to the end, merged into one."""
        chained = [
            reply for place, reply in sorted(self._near_top.items()) if place >= chained_from and reply.keys
        ]
        keys = tuple(key for reply in chained for key in reply.keys)
        newest, oldest = (chained[0].newest, chained[-1].oldest) if chained else (None, None)
        return Slice(
            self._top.window, keys, self._top.total, newest, oldest, tuple(reply.keys for reply in chained)
        )

    async def _look_at_top(self) -> Slice:
        return await self._paged.ask(Window(1, min(TOP_ROWS, self._paged.largest)))


def _overlap(above: Slice, below: Slice) -> int:
    """Return how many rows two full replies share by their positions; 0 if positions are no evidence."""
    if above.ends or above.window.start >= below.window.start:
        return 0
    return max(above.window.stop - below.window.start, 0)


def _overlap_alike(above: Slice, below: Slice) -> bool:
    """Whether two replies have the same row keys at the positions that they share.

    Then no change was seen, also if no shared row proves it, since too many rows without a key look alike.
    """
    shared = _overlap(above, below)
    return shared > 0 and above.keys[-shared:] == below.keys[:shared]


def _is_everything(top: Slice) -> bool:
    """Whether the first reply holds all rows of one moment; also if the API does not page."""
    return top.ends or len(top.keys) > top.window.per_page
