"""One dataset's rows out of pages that shift while they are read, with proof that none was missed.

`scan` asks for overlapping windows concurrently (see `windows` for why a shared row is a proof), hands each reply
on as it arrives, joins neighbours that share no row by re-reading between them, and looks at the top once more
at the end. It decodes of each row only what tells it apart, so it never waits for validation, nor validation for
it. What does not belong here: what rows mean, and which of two versions of a row stays (see `snapshot`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pipelines.concurrent import run_all
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.identity import Seen
from pipelines.pull.plain import read_twice
from pipelines.pull.slices import (
    Asking,
    Fetch,
    FixedPages,
    Query,
    Slice,
    dated_apart,
    in_same_order,
    is_short_of,
)
from pipelines.pull.windows import Window, around, linked, plan

_TOP_ROWS = 100
"""Rows of the last look at the top: new sign-ups of the time of a scan, at the least."""

_WINDOWS_NEAR_TOP = 10
"""Windows whose rows the last look at the top may join, should those of the first be gone."""

_LEAST_EXTRA = 60
"""Extra requests that even a small scan may spend; a large one may spend as many as it planned."""

_MOST_GROWTH = 8
"""How many times the pages that an account had at first may be read, should it grow faster than it is read."""

_MOST_GAPS = _LEAST_EXTRA * _MOST_GROWTH
"""Replies that lead no further down after which an account without a total is taken to outgrow the reading."""

_CUT_SHARE = 100
"""One row in so many may be claimed and not served while an account changes: its total may lag behind."""

_OUTWARD = (0, 0.5, -0.5, 1, -1, 2, -2)
"""Where to look for a lost neighbour, in pages from where it should be."""


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
    """

    requests: int = 0
    extra_requests: int = 0
    complete: bool = True
    drifted: bool = False
    total: int | None = None
    confirmed: bool = False
    notes: list[str] = field(default_factory=list)


async def scan(endpoint: Endpoint, fetch: Fetch, concurrency: int) -> Evidence:
    """Read every row of a dataset.

    Args:
        endpoint: what to read.
        fetch: gets and keeps replies; all of them, also those read again: of two versions of a row the one read
            later is the truer one.
        concurrency: how many requests to keep under way.

    Raises:
        AccessError: the key or the account was refused, also half-way.
        RequestError: the API does not serve this endpoint.
        ServiceError: no usable answer within the bounds of retrying.
    """
    evidence = Evidence()
    totals: list[int | None] = []
    for filters in endpoint.filters:
        one = _Pass(endpoint, filters, fetch, evidence)
        await one.run(concurrency)
        totals.append(one.total)
    if len(endpoint.filters) > 1:
        # A row may have moved from a later filter's rows to the first one's between the two reads.
        again = _Pass(endpoint, endpoint.filters[0], fetch, evidence)
        await again.run(concurrency)
        evidence.drifted |= again.total != totals[0]
        totals[0] = again.total
    evidence.total = None if None in totals else sum(filter(None, totals))
    return evidence


async def scan_new(endpoint: Endpoint, fetch: Fetch, is_known: Callable[[Seen], bool]) -> Evidence:
    """Read from the top only until a reply reaches rows that are known; no claim to be complete.

    Args:
        endpoint: what to read, newest rows first.
        fetch: gets and keeps replies.
        is_known: whether the last row of a reply is known.

    Raises:
        AccessError, RequestError, ServiceError: as `scan`.
    """
    evidence = Evidence(complete=False, notes=["only new sign-ups were read"])
    known = False

    async def until_known(query: Query, read: Callable[[bytes], Seen], *, fresh: bool) -> Seen:
        nonlocal known
        seen = await fetch(query, read, fresh=fresh)
        known = is_known(seen)
        return seen

    asking = Asking(endpoint, {}, until_known)
    found = await _first_slice(asking)
    stalled, oldest = 0, found.oldest
    while found.keys and not known and not found.ends and stalled < _LEAST_EXTRA:
        try:
            found = await asking.ask(asking.following(found))
        except FixedPages as pages:
            asking.fix(pages.rows)
        gained = found.oldest is None or oldest is None or found.oldest <= oldest
        stalled, oldest = (0, found.oldest) if gained else (stalled + 1, oldest)
    if stalled:
        evidence.notes.append(f"{endpoint.path}: rows came faster than they were read")
    evidence.requests, evidence.total = asking.replies, asking.total
    return evidence


async def _first_slice(asking: Asking) -> Slice:
    """The first page; where the server gives fewer rows a page than asked for, as a full one of that size."""
    top = await asking.ask(Window(1, asking.largest))
    if not is_short_of(top):
        return top
    rows = len(top.keys)
    beyond = await asking.ask(Window(2, rows), may_be_last=True)
    if set(beyond.keys) <= set(top.keys):  # nothing, or what had just been pushed down
        again = await asking.ask(top.window)
        if again.keys == top.keys:
            return top
    asking.largest = rows
    return replace(top, window=Window(1, rows))


class _Pass:
    """One query of an endpoint, from the top to the end."""

    def __init__(
        self, endpoint: Endpoint, filters: Mapping[str, str], fetch: Fetch, evidence: Evidence
    ) -> None:
        self._endpoint = endpoint
        self._path = endpoint.path
        self._fetch = fetch
        self._parts = endpoint.parts if filters == endpoint.filters[0] else ()
        self._evidence = evidence
        self._asking = Asking(endpoint, filters, fetch)
        self._unsteady = False
        """Whether rows were seen to change places: those of one date come in another order each time."""
        self._by_date = False
        """Whether replies are joined only where their dates prove it too."""
        self._forget()

    def _forget(self) -> None:
        """Begin from the top."""
        self._spent = 0
        """Extra requests of this reading."""
        self._near_top: dict[int, Slice] = {}
        self._open: dict[int, Slice] = {}
        """Replies by their place in the plan, each kept until it is joined to both neighbours."""
        self._filled: list[int] = []
        """Places whose reply had rows."""
        self._last_keys: set[int] = set()
        """The last row of each reply."""
        self._joined: set[int] = set()
        """Places whose reply shares a row with the one after it."""
        self._onward = 0
        """How many of them are followed by one that reaches further."""
        self._not_served = 0
        """Rows beyond the end that the reply which ends the order claims."""

    @property
    def total(self) -> int | None:
        """Rows in all, as the latest reply said it."""
        return self._asking.total

    async def run(self, concurrency: int) -> None:
        """Read every row, and add to the evidence.

        Where rows change places, or the API serves other than the number of rows that it claims though nothing
        changes, all is read once more: then joined by dates too, or to see whether the same is served twice, in
        parts where the account can be asked for those.
        """
        drifted = self._evidence.drifted
        try:
            await self._read_joined(concurrency)
        except FixedPages as pages:
            self._evidence.drifted = drifted  # what did not fit together was never meant to
            await self._read_plain(pages.rows, concurrency)

    async def _read_joined(self, concurrency: int) -> None:
        reached = await self._read_all(concurrency)
        first, extra = self._asking.replies, self._spent
        claimed = self.total
        if self._unsteady and not self._by_date:
            self._by_date = True
            await self._read_all(concurrency)
        elif claimed is not None and claimed != reached and not self._drifted():
            if claimed > reached and self._parts:
                await self._read_parts(claimed, reached, concurrency)
            else:
                same = await self._read_all(concurrency) == reached
                self._evidence.confirmed = same
                self._say_served(claimed, reached, "twice the same" if same else "and others when read again")
        elif claimed is not None and self._not_served > max(_TOP_ROWS, claimed // _CUT_SHARE):
            self._evidence.complete = False
            self._say_served(claimed, reached, "while the account changed")
        self._evidence.drifted = self._drifted()
        self._evidence.requests += self._asking.replies
        self._evidence.extra_requests += extra + self._asking.replies - first

    def _say_served(self, claimed: int, reached: int, more: str) -> None:
        self._evidence.notes.append(
            f"{self._path}: {claimed:,} rows are claimed, {reached:,} are served, {more}"
        )

    async def _read_plain(self, rows: int, concurrency: int) -> None:
        """Read pages of one size, and add to the evidence."""
        self._asking.fix(rows)
        first = self._asking.replies
        reached, readings = await read_twice(self._asking, concurrency)
        if self._asking.refusal:
            raise self._asking.refusal
        self._evidence.complete &= readings > 0 and reached >= (self.total or 0)
        self._evidence.confirmed |= readings > 0 and self.total not in (None, reached)
        self._evidence.drifted |= readings != 2 or self._asking.totals_differ
        self._evidence.notes.append(
            f"{self._path}: {rows:,} rows come on a page, whatever is asked for; {reached:,} are served, "
            f"{'twice the same' if readings else 'and others each time'}"
        )
        self._evidence.requests += self._asking.replies
        self._evidence.extra_requests += first + (self._asking.replies - first) // 2

    async def _read_parts(self, claimed: int, reached: int, concurrency: int) -> None:
        """Read the parts of what gave fewer rows than claimed, and add to the evidence.

        As many rows again mean that the total is wrong. More mean that the API serves only so many rows of a query,
        and they may be all, by the totals of the parts. Where all rows are in one part, nothing is learnt.
        """
        counts, agree = [], True
        for filters in self._parts:
            part = _Pass(self._endpoint, filters, self._fetch, Evidence())
            counts.append(await part._read_all(concurrency))
            agree &= part.total == counts[-1] and part._evidence.complete and not part._drifted()
            self._evidence.requests += part._asking.replies
            self._evidence.extra_requests += part._asking.replies
        if sum(counts) == reached and all(counts):
            self._evidence.confirmed = True
            self._say_served(claimed, reached, "twice the same, the second time in parts")
        elif sum(counts) == claimed and agree:
            self._evidence.confirmed = True
            self._say_served(claimed, reached, "and all of them when read in parts")
        else:
            self._evidence.complete = False
            self._say_served(claimed, reached, f"{sum(counts):,} when read in parts")

    def _drifted(self) -> bool:
        return self._evidence.drifted or self._asking.totals_differ

    async def _read_all(self, concurrency: int) -> int:
        """Read every row and join the replies to a chain; returns how far it reaches."""
        self._forget()
        top = await _first_slice(self._asking)
        if _is_everything(top):
            return len(top.keys)
        self._asking.know_first(top)
        planned = await self._read_plan(top, concurrency)
        budget = _Budget(max(_LEAST_EXTRA, planned))
        chained_from, end = await self._join_all(budget)
        chained = end is not None and await self._join_top(top, chained_from, budget)
        self._spent = budget.spent
        if not chained:
            await self._see_whether_fixed(top)
            self._give_up(budget)
        return end or 0

    async def _see_whether_fixed(self, top: Slice) -> None:
        """Ask for half of the first page.

        Raises:
            FixedPages: more came, so the pages that could not be joined were never meant to overlap.
        """
        half = await self._asking.ask(Window(1, max(1, len(top.keys) // 2)))
        if len(half.keys) > half.window.per_page:
            raise FixedPages(len(half.keys))

    def _give_up(self, budget: "_Budget") -> None:
        """Say that the replies could not be joined.

        Raises:
            RequestError: a page was refused that is not beyond the end then.
        """
        if self._asking.refusal:
            raise self._asking.refusal
        self._evidence.complete = False
        why = "; rows of one date change places" if self._unsteady else ""
        self._evidence.notes.append(
            f"{self._path}: replies could not be joined within {budget.spent} extra requests{why}"
        )

    async def _read_plan(self, top: Slice, concurrency: int) -> int:
        """Read the planned windows below the top one; returns how many replies there were."""
        self._note(0, top)
        places = enumerate(plan(self._asking.largest))
        _, previous = next(places)
        most = _LEAST_EXTRA + _MOST_GROWTH * (top.total or 0) // self._asking.largest
        ended = False

        async def work() -> None:
            nonlocal previous, ended
            while not ended and (self.total is None or previous.stop <= self.total):
                place, previous = next(places)
                seen = await self._asking.ask(previous, fresh=False)
                gaps = 0 if self.total is not None else place - self._onward
                ended |= self._is_last(seen) or (self.total is not None and place >= most)
                ended |= gaps > max(_MOST_GAPS, place // 2)
                self._note(place, seen)

        await run_all(work() for _ in range(concurrency))
        return next(places)[0]

    def _is_last(self, seen: Slice) -> bool:
        """Whether nothing is to be expected below a reply: it is empty, or ends as one read before it does."""
        if not seen.keys or seen.keys[-1] in self._last_keys:
            return True
        self._last_keys.add(seen.keys[-1])
        return seen.ends and seen.total is not None and seen.window.stop >= seen.total

    def _note(self, place: int, seen: Slice) -> None:
        """Compare a reply with its neighbours, and let go of those that are joined on both sides."""
        self._open[place] = seen
        if seen.keys:
            self._filled.append(place)
        if place < _WINDOWS_NEAR_TOP:
            self._near_top[place] = seen
        for upper in (place - 1, place):
            if upper in self._open and upper + 1 in self._open:
                above, below = self._open[upper], self._open[upper + 1]
                shared = above.window.stop - below.window.start
                if shared > 0 and not above.ends and above.window.start < below.window.start:
                    self._evidence.drifted |= above.keys[-shared:] != below.keys[:shared]
                if self._are_linked(above, below):
                    self._joined.add(upper)
                    self._onward += below.keys[-1] not in above.keys
        for done in (place - 1, place, place + 1):
            if done in self._joined and done - 1 in self._joined:
                self._open.pop(done, None)

    def _are_linked(self, upper: Slice, lower: Slice) -> bool:
        """Whether two replies share a row, and that proves that nothing between them was missed."""
        if not linked(upper.keys, lower.keys):
            return False
        self._unsteady |= not in_same_order(upper.keys, lower.keys)
        return not self._by_date or dated_apart(upper, lower)

    async def _join_all(self, budget: "_Budget") -> tuple[int, int | None]:
        """Join the neighbours that share no row, and the last reply to the end.

        Returns:
            The place from which on all are joined, 0 if all are; and the position of the end, None where the
            last reply could not be joined to it.
        """
        chained_from = 0
        for place, following in pairwise(sorted(self._filled)):
            if place in self._joined:
                continue
            self._evidence.drifted = True
            if not await self._join(self._open[place], self._open[following], budget):
                chained_from = following
        if not self._filled:
            return chained_from, 0
        tail = self._open[max(self._filled)]
        end = tail if tail.ends else await self._join(tail, None, budget)
        if end is not None and end.total is not None:
            self._not_served = end.total - end.stop
        return chained_from, end.stop if end else None

    async def _join_top(self, top: Slice, chained_from: int, budget: "_Budget") -> bool:
        """Look at the top once more, for rows that came or moved there since; whether they join the rest.

        Rows near the top may all have gone, and nothing can be joined to them then; but what is at the top now
        may join what is chained to the end.
        """
        budget.spent += 1
        look = await self._look_at_top()
        self._evidence.drifted |= look.total != top.total or look.keys[:1] != top.keys[:1]
        if look.keys[:1] == top.keys[:1] and chained_from == 0:
            return True
        chained = [of for place, of in sorted(self._near_top.items()) if place >= chained_from and of.keys]
        keys = tuple(key for of in chained for key in of.keys)
        newest, oldest = (chained[0].newest, chained[-1].oldest) if chained else (None, None)
        lower = Slice(top.window, keys, top.total, newest, oldest)
        while True:
            before = budget.spent
            if await self._join(look, lower, budget) is None:
                return False
            if budget.spent == before or not budget.take():
                return budget.spent == before  # else rows may have moved up while the two were joined
            lower, look = look, await self._look_at_top()

    async def _look_at_top(self) -> Slice:
        return await self._asking.ask(Window(1, min(_TOP_ROWS, self._asking.largest)))

    async def _join(self, upper: Slice, lower: Slice | None, budget: "_Budget") -> Slice | None:
        """Read between two replies until a chain of shared rows leads from one to the other.

        Args:
            upper: where the chain stands.
            lower: where it must get to; None for the end of the order.
            budget: bounds the requests.

        Returns:
            The reply that closes the gap; None where the budget is spent or nothing more can be joined.
        """
        edge = upper.stop + self._shift_since(upper)
        largest = self._asking.largest
        while lower is None or not self._are_linked(upper, lower):
            for offset in _OUTWARD:
                if not budget.take():
                    return None
                seen = await self._asking.ask(around(edge + int(offset * largest), largest))
                above = self._are_linked(upper, seen)
                below = lower is not None and self._are_linked(seen, lower)
                if (above and (below or seen.ends)) or (below and seen.window.start == 0):
                    return seen  # from one to the other, or all the way to the end or from the top
                if above and seen.keys[-1] not in upper.keys:
                    upper, edge = seen, seen.stop
                    break
                if below and lower is not None and seen.keys[0] not in lower.keys:
                    lower, edge = seen, seen.window.start
                    break
            else:
                return None
        return upper

    def _shift_since(self, seen: Slice) -> int:
        """How far the order has moved since a reply, as far as totals tell."""
        return 0 if self.total is None or seen.total is None else self.total - seen.total


def _is_everything(top: Slice) -> bool:
    """Whether the first reply holds all rows, as they were at one moment, be it because the API does not page."""
    rows = len(top.keys)
    return top.total in (None, rows) if rows > top.window.per_page else top.ends


@dataclass(slots=True)
class _Budget:
    """A bound on extra requests."""

    limit: int
    spent: int = 0

    def take(self) -> bool:
        """Spend one, if there is one left."""
        if self.spent >= self.limit:
            return False
        self.spent += 1
        return True
