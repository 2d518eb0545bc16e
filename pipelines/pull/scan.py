"""One dataset's rows out of pages that shift while they are read, with proof that none was missed.

`scan` asks for overlapping windows concurrently (see `windows` for why a shared row is a proof), hands each reply
on as it arrives, joins neighbours that share no row by re-reading between them, and looks at the top once more
at the end. It decodes of each row only what tells it apart, so it never waits for validation, nor validation for
it. What does not belong here: what rows mean, and which of two versions of a row stays (see `snapshot`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from pipelines.concurrent import run_all
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.identity import Keys, Seen, reply_reader
from pipelines.pull.windows import Window, around, linked, plan
from pipelines.trackly.client import Unreadable

_TOP_ROWS = 100
"""Rows of the last look at the top: new sign-ups of the time of a scan, at the least."""

_WINDOWS_NEAR_TOP = 10
"""Windows whose rows the last look at the top may join, should those of the first be gone."""

_LEAST_EXTRA = 60
"""Extra requests that even a small scan may spend; a large one may spend as many as it planned."""

_OUTWARD = (0, 0.5, -0.5, 1, -1, 2, -2)
"""Where to look for a lost neighbour, in pages from where it should be."""

_UNPAGED_ROWS = 1 << 62
"""`per_page` of a reply that is not paged: any number of rows fits."""

Query = Mapping[str, str | int]


class Fetch(Protocol):
    """Gets one reply and keeps it for the snapshot."""

    def __call__(self, query: Query, read: Callable[[bytes], Seen], *, fresh: bool) -> Awaitable[Seen]:
        """Ask for one page.

        Args:
            query: its parameters.
            read: reads the body; raises Unreadable where it is not the page asked for.
            fresh: whether it must be asked for now; else a young reply of an interrupted pull will do.
        """


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


@dataclass(frozen=True, slots=True)
class _Slice:
    """A window's reply, reduced to what links it to others."""

    window: Window
    keys: Keys
    total: int | None

    @property
    def ends(self) -> bool:
        """Whether the order ended within this reply."""
        return len(self.keys) < self.window.per_page

    @property
    def stop(self) -> int:
        """Position after its last row."""
        return self.window.start + len(self.keys)


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

    one = _Pass(endpoint, {}, until_known, evidence)
    for window in plan(endpoint.largest):
        found = await one.fetch(window)
        if known or found.ends:
            break
    evidence.total = one.total
    return evidence


class _Pass:
    """One query of an endpoint, from the top to the end."""

    def __init__(
        self, endpoint: Endpoint, filters: Mapping[str, str], fetch: Fetch, evidence: Evidence
    ) -> None:
        self.total: int | None = None
        self._endpoint = endpoint
        self._filters = filters
        self._get = fetch
        self._evidence = evidence
        self._largest = endpoint.largest or _UNPAGED_ROWS
        self._read = reply_reader(endpoint.envelope, endpoint.identity)
        self._forget()

    def _forget(self) -> None:
        """Begin from the top."""
        self._top_key: tuple[int, int | None] | None = None
        self._near_top: dict[int, Keys] = {}
        self._open: dict[int, _Slice] = {}
        """Replies by their place in the plan, each kept until it is joined to both neighbours."""
        self._filled: list[int] = []
        """Places whose reply had rows."""
        self._joined: set[int] = set()
        """Places whose reply shares a row with the one after it."""

    async def run(self, concurrency: int) -> None:
        """Read every row, and add to the evidence.

        Where the API serves other than the number of rows that it claims, though nothing changes, all is read
        once more: what it serves twice the same is what there is.
        """
        reached = await self._read_all(concurrency)
        claimed = self.total
        if claimed in (None, reached) or self._evidence.drifted:
            return
        self._forget()
        before = self._evidence.requests
        same = await self._read_all(concurrency) == reached
        self._evidence.extra_requests += self._evidence.requests - before
        self._evidence.confirmed = same
        self._evidence.notes.append(
            f"{self._endpoint.path}: {claimed:,} rows are claimed, {reached:,} are served"
            f"{', twice the same' if same else ', and others when read again'}"
        )

    async def _read_all(self, concurrency: int) -> int:
        """Read every row and join the replies to a chain; returns how far it reaches."""
        top = await self.fetch(Window(1, self._largest))
        if self._is_everything(top):
            return len(top.keys)
        self._top_key = (top.keys[0], top.total) if top.keys else None
        planned = await self._read_plan(top, concurrency)
        budget = _Budget(max(_LEAST_EXTRA, planned))
        chained_from, end = await self._join_all(budget)
        chained = end is not None and await self._join_top(top, chained_from, budget)
        self._evidence.extra_requests += budget.spent
        if not chained:
            self._evidence.complete = False
            self._evidence.notes.append(
                f"{self._endpoint.path}: replies could not be joined within {budget.spent} extra requests"
            )
        return end or 0

    def _is_everything(self, top: _Slice) -> bool:
        """Whether the first reply holds all rows, as they were at one moment."""
        if len(top.keys) > top.window.per_page:  # the API does not page
            return True
        return top.ends and (top.total is None or top.total <= len(top.keys))

    async def _read_plan(self, top: _Slice, concurrency: int) -> int:
        """Read the planned windows below the top one; returns how many replies there were."""
        self._note(0, top)
        places = enumerate(plan(self._largest))
        _, previous = next(places)
        ended = False

        async def work() -> None:
            nonlocal previous, ended
            while not ended and (self.total is None or previous.stop <= self.total):
                place, previous = next(places)
                seen = await self.fetch(previous, fresh=False)
                ended |= not seen.keys or (
                    seen.ends and (seen.total is None or seen.window.stop >= seen.total)
                )
                self._note(place, seen)

        await run_all(work() for _ in range(concurrency))
        return next(places)[0]

    def _note(self, place: int, seen: _Slice) -> None:
        """Compare a reply with its neighbours, and let go of those that are joined on both sides."""
        self._open[place] = seen
        if seen.keys:
            self._filled.append(place)
        if place < _WINDOWS_NEAR_TOP:
            self._near_top[place] = seen.keys
        for upper in (place - 1, place):
            if upper in self._open and upper + 1 in self._open:
                above, below = self._open[upper], self._open[upper + 1]
                shared = above.window.stop - below.window.start
                if not above.ends:
                    self._evidence.drifted |= above.keys[-shared:] != below.keys[:shared]
                if linked(above.keys, below.keys):
                    self._joined.add(upper)
        for done in (place - 1, place, place + 1):
            if done in self._joined and done - 1 in self._joined:
                self._open.pop(done, None)

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
        if tail.ends:
            return chained_from, tail.stop
        end = await self._join(tail, None, budget)
        return chained_from, end.stop if end else None

    async def _join_top(self, top: _Slice, chained_from: int, budget: "_Budget") -> bool:
        """Look at the top once more, for rows that came or moved there since; whether they join the rest.

        Rows near the top may all have gone, and nothing can be joined to them then; but what is at the top now
        may join what is chained to the end.
        """
        budget.spent += 1
        look = await self.fetch(Window(1, min(_TOP_ROWS, self._largest)))
        self._evidence.drifted |= look.total != top.total or look.keys[:1] != top.keys[:1]
        if look.keys[:1] == top.keys[:1] and chained_from == 0:
            return True
        chained = [key for place, keys in self._near_top.items() if place >= chained_from for key in keys]
        joined = await self._join(look, _Slice(top.window, tuple(chained), top.total), budget)
        return joined is not None

    async def _join(self, upper: _Slice, lower: _Slice | None, budget: "_Budget") -> _Slice | None:
        """Read between two replies until a chain of shared rows leads from one to the other.

        Args:
            upper: where the chain stands.
            lower: where it must get to; None for the end of the order.
            budget: bounds the requests.

        Returns:
            The reply that closes the gap; None where the budget is spent or nothing more can be joined.
        """
        edge = upper.stop + self._shift_since(upper)
        while lower is None or not linked(upper.keys, lower.keys):
            for offset in _OUTWARD:
                if not budget.take():
                    return None
                seen = await self.fetch(around(edge + int(offset * self._largest), self._largest))
                above = linked(upper.keys, seen.keys)
                below = lower is not None and linked(seen.keys, lower.keys)
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

    def _shift_since(self, seen: _Slice) -> int:
        """How far the order has moved since a reply, as far as totals tell."""
        return 0 if self.total is None or seen.total is None else self.total - seen.total

    async def fetch(self, window: Window, *, fresh: bool = True) -> _Slice:
        """Ask for one window."""
        query: Query = self._filters
        if self._largest != _UNPAGED_ROWS:
            query = {**self._filters, "page": window.page, "per_page": window.per_page}

        def read(body: bytes) -> Seen:
            seen = self._read(body)
            self._check_place(window, seen)
            return seen

        seen = await self._get(query, read, fresh=fresh)
        if seen.per_page is not None and seen.per_page < window.per_page:
            self._largest = max(seen.per_page, 1)
            window = Window(1, self._largest)
        self._evidence.requests += 1
        self._evidence.drifted |= self.total is not None and seen.total != self.total
        self.total = seen.total
        return _Slice(window, seen.keys, seen.total)

    def _check_place(self, window: Window, seen: Seen) -> None:
        """Refuse a reply that is not the page asked for.

        Raises:
            Unreadable: another page came, or the first one again.
        """
        if seen.page not in (None, window.page):
            raise Unreadable(f"page {seen.page} came in answer to page {window.page}")
        if window.page > 1 and seen.per_page not in (None, window.per_page):
            raise Unreadable(f"{seen.per_page} rows a page came in answer to {window.per_page}")
        if window.page > 1 and seen.keys and (seen.keys[0], seen.total) == self._top_key:
            raise Unreadable(f"the first page came again in answer to page {window.page}")


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
