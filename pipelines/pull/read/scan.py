"""One dataset's rows out of pages that shift while they are read, with proof that none was missed.

`scan` reads each query of an endpoint as a chain of overlapping replies (`chain`), or page by page and twice where
pages cannot overlap (`fixed_pages`), hands each reply on as it arrives, and sees whether all rows claimed are served.
It needs of each row only what tells it apart, so it never waits for validation, nor validation for it. What does not
belong here: what rows mean, and which of two versions of a row stays (see `snapshot`).
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, islice
from random import Random

from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.read.chain import LEAST_EXTRA, TOP_ROWS, Chain, first_slice
from pipelines.pull.read.evidence import Evidence
from pipelines.pull.read.fixed_pages import read_twice
from pipelines.pull.read.pages import Asking, Check, Fetch, FixedPages, Query
from pipelines.pull.read.windows import Window

_EQUAL_ROUNDS, _MOST_ROUNDS = 3, 9
"""How many rounds over the queries of an endpoint must be equal, and how many there are at the most."""

_TURNS = (False, False, True, True)
"""Which rounds ask in the opposite order."""

_CUT_SHARE = 100
"""One row in so many may be claimed and not served while an account changes: its total may lag behind."""


async def scan(endpoint: Endpoint, fetch: Fetch, concurrency: int, seed: str = "") -> Evidence:
    """Read every row of a dataset.

    Args:
        endpoint: what to read.
        fetch: gets and keeps replies; all of them, also those read again: of two versions of a row the one read
            later is the truer one.
        concurrency: how many requests to keep under way.
        seed: draws the order in which several queries are asked.

    Raises:
        AccessError: the key or the account was refused, also half-way.
        RequestError: the API does not serve this endpoint.
        ServiceError: no usable answer within the bounds of retrying.
    """
    evidence = Evidence()
    if len(endpoint.filters) > 1:
        await _scan_in_rounds(endpoint, fetch, concurrency, evidence, _turns(seed))
    else:
        one = _Pass(endpoint, endpoint.filters[0], fetch, evidence)
        await one.run(concurrency)
        evidence.total = one.total
    return evidence


def _turns(seed: str) -> Iterator[bool]:
    """Whether to ask in the opposite order, round by round: two rounds as they are and two the other way about.

    Where that begins is drawn, so that no schedule of changes that is fixed before hides from all of them.
    """
    drawn = Random(seed).randrange(len(_TURNS))  # noqa: S311 - no secret
    return islice(cycle(_TURNS), drawn, None)


async def _scan_in_rounds(
    endpoint: Endpoint, fetch: Fetch, concurrency: int, evidence: Evidence, turns: Iterator[bool]
) -> None:
    """Read all queries of an endpoint until three rounds in a row find the same rows in each.

    The queries ask for states of rows, which can change, so they are no partition: a row that changes its state
    between two of them is met twice, or by none. One that moves shows as a difference between rounds. Of any three
    rounds in a row two ask in one order, one after the other, and one in the opposite order. To hide from all of them
    a row has to change at four moments or more, each of them between two certain queries. Of the four ways in which
    the rounds may begin, one that is fixed before hides from one at the most. What no order helps against is a row
    that changes in answer to our requests.
    """
    rounds: list[dict[int, tuple[frozenset[int], int | None]]] = []
    while len(rounds) < _MOST_ROUNDS:
        asked, found = evidence.requests, {}
        places = list(enumerate(endpoint.filters))
        for at, filters in reversed(places) if next(turns) else places:
            keys: set[int] = set()
            one = _Pass(endpoint, filters, _noting(fetch, keys), evidence)
            await one.run(concurrency)
            found[at] = frozenset(keys), one.total
        evidence.extra_requests += evidence.requests - asked if rounds else 0
        evidence.drifted |= bool(rounds) and found != rounds[-1]
        rounds.append(found)
        totals = [total for _, total in found.values()]
        evidence.total = None if None in totals else sum(filter(None, totals))
        latest = rounds[-_EQUAL_ROUNDS:]
        if len(latest) == _EQUAL_ROUNDS and all(one == found for one in latest):
            return
    evidence.complete = False
    evidence.notes.append(
        f"{endpoint.path}: rows can be asked for by their state only, and changed it whenever they were read"
    )


def _noting(fetch: Fetch, keys: set[int]) -> Fetch:
    async def fetch_and_note(query: Query, check: Check, *, fresh: bool) -> Seen:
        seen = await fetch(query, check, fresh=fresh)
        keys.update(seen.keys)
        return seen

    return fetch_and_note


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

    async def until_known(query: Query, check: Check, *, fresh: bool) -> Seen:
        nonlocal known
        seen = await fetch(query, check, fresh=fresh)
        known = is_known(seen)
        return seen

    asking = Asking(endpoint, {}, until_known)
    try:
        found = await first_slice(asking)
    except FixedPages as pages:
        asking.fix(pages.rows)
        found = await asking.ask(Window(1, pages.rows))
    stalled, oldest = 0, found.oldest
    while found.keys and not known and not found.ends and stalled < LEAST_EXTRA:
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
        self._chain = Chain(endpoint.path, self._asking, evidence)

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
        reached = await self._chain.read_all(concurrency)
        first, extra = self._asking.replies, self._chain.spent
        claimed = self.total
        if self._chain.unsteady and not self._chain.by_date:
            self._chain.by_date = True
            await self._chain.read_all(concurrency)
        elif claimed is not None and claimed != reached and not self._drifted():
            if claimed > reached and self._parts:
                await self._read_parts(claimed, reached, concurrency)
            else:
                same = await self._chain.read_all(concurrency) == reached
                self._evidence.confirmed = same
                self._say_served(claimed, reached, "twice the same" if same else "and others when read again")
        elif claimed is not None and self._chain.not_served > max(TOP_ROWS, claimed // _CUT_SHARE):
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

        More rows than before mean that the API serves only so many of a query; they are taken. But the parts are
        states of rows, which can change between two queries, so they never prove that no row is missing.
        """
        counts = []
        for filters in self._parts:
            part = _Pass(self._endpoint, filters, self._fetch, Evidence())
            counts.append(await part._chain.read_all(concurrency))
            self._evidence.requests += part._asking.replies
            self._evidence.extra_requests += part._asking.replies
        self._evidence.complete = False
        self._say_served(
            claimed,
            reached,
            f"{sum(counts):,} when read in parts by a state that can change, which proves nothing",
        )

    def _drifted(self) -> bool:
        return self._evidence.drifted or self._asking.totals_differ
