"""Overlapping windows of one query, read concurrently and joined to a chain from the top to the end.

Windows are planned to share rows (see `windows` for why a shared row is a proof). Neighbours that share none are
joined by reading between them (`joining`), within a budget, and the top is looked at once more at the end. What does
not belong here: what to do where the chain is not as long as the API claims, and pages that cannot overlap (`scan`).
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise

from pipelines.process.concurrent import run_all
from pipelines.pull.read.joining import Budget, Joiner
from pipelines.pull.read.pages import FixedPages, PagedQuery, Slice, leaves_open
from pipelines.pull.read.windows import Window, ending_of, plan, reaches_further, top_of
from pipelines.text.humanize import plural

TOP_ROWS = 100
"""Rows of the last look at the top: new sign-ups of the time of a scan, at the least."""

_WINDOWS_NEAR_TOP = 10
"""Windows whose rows the last look at the top may join, should those of the first be gone."""

LEAST_EXTRA = 60
"""Extra requests that even a small scan may spend; a large one may spend as many as it planned."""

_MOST_GROWTH = 8
"""How many times the pages that an account had at first may be read, should it grow faster than it is read."""

_MOST_GAPS = LEAST_EXTRA * _MOST_GROWTH
"""Replies that lead no further down after which an account without a total is taken to outgrow the reading."""


@dataclass(slots=True)
class Evidence:
    """What a scan saw, on which the claim about its consistency rests.

    Attributes:
        requests: replies read in all.
        extra_requests: those of them beyond the planned ones: to join windows, and the look at the top.
        complete: whether a chain of replies that share rows reaches from the top to the end.
        drifted: whether the account was seen to change during the scan.
        total: what the API gave as the number of rows, last; None where it gives none.
        confirmed: whether other than the claimed number of rows was served, twice the same.
        notes: what was noticed, for people.
        proved: digests of first pages after which nothing more came, so that they were all there was.
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
    """The first page; where the server gives fewer rows a page than asked for, as a full one of that size.

    One of more rows than asked for has all of them.

    Raises:
        FixedPages: the server gives pages of one size, which is more than was asked for.
    """
    top = await paged.ask(Window(1, paged.largest))
    if not leaves_open(top) or hash(top.keys) in paged.proved:
        return top
    rows = len(top.keys)
    beyond = await paged.ask(Window(2, rows), may_be_last=True)
    if set(beyond.keys) <= set(top.keys):  # nothing, or what had just been pushed down
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
    """What came of reading a query once.

    Attributes:
        reached: the position of the end of the order, in rows; 0 where the replies could not be joined to it.
        spent: extra requests, beyond the planned ones.
        unsteady: whether rows were seen to change places: those of one date come in another order each time.
        not_served: rows beyond the end that the reply which ends the order claims.
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
        by_date: join replies only where their dates prove it too, since rows of one date change places.

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
        """Read the plan, and join its replies; see `read_chain`."""
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
        """Ask for half of the first page.

        Raises:
            FixedPages: more came, so the pages that could not be joined were never meant to overlap.
        """
        half = await self._paged.ask(Window(1, max(1, len(self._top.keys) // 2)))
        if len(half.keys) > half.window.per_page:
            raise FixedPages(len(half.keys))

    def _give_up(self, budget: Budget) -> None:
        """Note that the replies could not be joined.

        Raises:
            RequestError: a page was refused that is not beyond the end then.
        """
        if self._paged.refusal:
            raise self._paged.refusal
        self._evidence.complete = False
        why = "; rows of one date change places" if self._joiner.unsteady else ""
        self._evidence.notes.append(
            f"{self._paged.path}: replies could not be joined within {plural(budget.spent, 'extra request')}{why}"
        )

    async def _read_plan(self, concurrency: int) -> int:
        """Read the planned windows below the top one; returns how many replies there were."""
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
        """Whether the last reply is full beyond the total: then the total is no hint of where the end is."""
        tail = self._open[max(self._filled)]
        return not tail.ends and tail.total is not None and tail.stop > tail.total

    def _is_last(self, seen: Slice) -> bool:
        """Whether nothing is to be expected below a reply: it is empty, or ends as one read before it does."""
        ending = hash(ending_of(seen.keys))
        if not seen.keys or ending in self._endings:
            return True
        self._endings.add(ending)
        return seen.ends and seen.total is not None and seen.window.stop >= seen.total

    def _note(self, place: int, seen: Slice) -> None:
        """Compare a reply with its neighbours, and let go of those that are joined on both sides."""
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
        """Compare the reply at a place with the one after it, once both are there."""
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
            The place from which on all are joined, 0 if all are; and the position of the end, None where the
            last reply could not be joined to it.
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
        """Look at the top once more, for rows that came or moved there since; whether they join the rest.

        Rows near the top may all have gone, and nothing can be joined to them then; but what is at the top now
        may join what is chained to the end.
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
                return budget.spent == before  # else rows may have moved up while the two were joined
            lower, look = look, await self._look_at_top()

    def _near_top_from(self, chained_from: int) -> Slice:
        """The replies near the top that are chained to the end, put together."""
        chained = [of for place, of in sorted(self._near_top.items()) if place >= chained_from and of.keys]
        keys = tuple(key for of in chained for key in of.keys)
        newest, oldest = (chained[0].newest, chained[-1].oldest) if chained else (None, None)
        return Slice(
            self._top.window, keys, self._top.total, newest, oldest, tuple(of.keys for of in chained)
        )

    async def _look_at_top(self) -> Slice:
        return await self._paged.ask(Window(1, min(TOP_ROWS, self._paged.largest)))


def _overlap(above: Slice, below: Slice) -> int:
    """How many rows two full replies share by their positions; 0 where that is no evidence."""
    if above.ends or above.window.start >= below.window.start:
        return 0
    return max(above.window.stop - below.window.start, 0)


def _overlap_alike(above: Slice, below: Slice) -> bool:
    """Whether two replies have the same rows, as far as is seen of them, at the positions that they share.

    Then nothing was seen to change, also where they have no row that proves it: too many look alike, without a key.
    """
    shared = _overlap(above, below)
    return shared > 0 and above.keys[-shared:] == below.keys[:shared]


def _is_everything(top: Slice) -> bool:
    """Whether the first reply holds all rows, as they were at one moment; also where the API does not page."""
    return top.ends or len(top.keys) > top.window.per_page
