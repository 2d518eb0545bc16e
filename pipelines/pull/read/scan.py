"""Reads a dataset's rows from pages that shift meanwhile, with proof that none was missed.

`scan` reads each query of an endpoint as a chain of overlapping replies (`chain`), or page by page and twice where
pages cannot overlap (`fixed_pages`), and checks that all rows claimed are served. The given `Fetch` keeps the
replies. The scan needs only the key of each row, so it never waits for validation. What does not belong here: new
rows only (`incremental`), what rows mean (`decode`), and which version of a row stays (`write.deduplicate`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from random import Random

from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.read.chain import TOP_ROWS, Chained, Evidence, read_chain
from pipelines.pull.read.fixed_pages import read_twice
from pipelines.pull.read.pages import Fetch, FixedPages, PagedQuery
from pipelines.pull.replies.accept import Check
from pipelines.text.humanize import plural
from pipelines.trackly.client import Query

_EQUAL_ROUNDS, _MOST_ROUNDS = 3, 9
"""How many rounds over an endpoint's queries must be equal, and the most rounds."""

_TURNS = (False, False, True, True)
"""Which rounds send the queries in the opposite order."""

_CUT_SHARE = 100
"""While an account changes, one row in this many may be claimed and not served, since its total may be late."""


async def scan(endpoint: Endpoint, fetch: Fetch, concurrency: int, seed: str = "") -> Evidence:
    """Read every row of a dataset.

    Args:
        endpoint: the endpoint to read.
        fetch: gets and keeps all replies, also repeated ones: of two versions of a row, the later one is used.
        concurrency: how many requests to keep under way.
        seed: for the random order of several queries.

    Raises:
        AccessError: the key or the account was refused, also in the middle of the scan.
        RequestError: the API does not serve this endpoint.
        ServiceError: no usable answer within the limits for retries.
    """
    evidence = Evidence()
    if len(endpoint.filters) > 1:
        await _scan_in_rounds(endpoint, fetch, concurrency, evidence, _turns(seed))
    else:
        one = _Pass(endpoint, endpoint.filters[0], fetch, evidence)
        await one.read(concurrency)
        evidence.total = one.total
    return evidence


def _turns(seed: str) -> Iterator[bool]:
    """Yield, for each round, whether to reverse the order of queries: two rounds forward, then two backward.

    The starting point is random, so that no fixed schedule of changes can hide a row from every scan.
    """
    drawn = Random(seed).randrange(len(_TURNS))  # noqa: S311 - no secret
    return islice(cycle(_TURNS), drawn, None)


async def _scan_in_rounds(
    endpoint: Endpoint, fetch: Fetch, concurrency: int, evidence: Evidence, turns: Iterator[bool]
) -> None:
    """Read all queries of an endpoint until three rounds in a row find the same rows in each.

    Each query selects a state of rows, and states can change, so the queries are no partition: a row that changes its
    state between two queries is found twice or not at all. Such a row shows as a difference between rounds. Of any
    three rounds in a row, two adjacent ones use one order and the third the opposite order. To stay hidden, a row has
    to change at four moments or more, each between two certain queries. A schedule of changes that is fixed in
    advance can hide from at most one of the four possible starts. No order helps if a row changes in response to our
    requests.
    """
    before: _Round | None = None
    equal = 0
    for backwards in islice(turns, _MOST_ROUNDS):
        asked = evidence.requests
        found = await _read_round(endpoint, fetch, concurrency, evidence, backwards=backwards)
        if before is not None:
            evidence.extra_requests += evidence.requests - asked
            evidence.drifted |= found != before
        totals = [total for _, total in found.values()]
        evidence.total = None if None in totals else sum(filter(None, totals))
        equal = equal + 1 if found == before else 1
        if equal == _EQUAL_ROUNDS:
            return
        before = found
    evidence.complete = False
    evidence.notes.append(
        f"{endpoint.path}: rows can be asked for by their state only, and changed it whenever they were read"
    )


_Round = dict[int, tuple[frozenset[int], int | None]]
"""The row keys and the total of each query, by its place among the endpoint's filters."""


async def _read_round(
    endpoint: Endpoint, fetch: Fetch, concurrency: int, evidence: Evidence, *, backwards: bool
) -> _Round:
    """Read every query of an endpoint once, in order or in the opposite order."""
    found: _Round = {}
    places = list(enumerate(endpoint.filters))
    for place, filters in reversed(places) if backwards else places:
        noting = _Noting(fetch)
        one = _Pass(endpoint, filters, noting, evidence)
        await one.read(concurrency)
        found[place] = frozenset(noting.keys), one.total
    return found


@dataclass(slots=True)
class _Noting:
    """A `Fetch` that notes the keys of the rows that came."""

    fetch: Fetch
    keys: set[int] = field(default_factory=set)

    async def __call__(self, query: Query, check: Check, *, fresh: bool) -> Seen:
        seen = await self.fetch(query, check, fresh=fresh)
        self.keys.update(seen.keys)
        return seen


class _Pass:
    """Reads one query of an endpoint, from the top to the end.

    Args:
        endpoint: what is read.
        filters: the query.
        fetch: gets and keeps replies.
        evidence: added to.
    """

    def __init__(
        self, endpoint: Endpoint, filters: Mapping[str, str], fetch: Fetch, evidence: Evidence
    ) -> None:
        self._endpoint = endpoint
        self._fetch = fetch
        self._states = endpoint.states if filters == endpoint.filters[0] else ()
        self._evidence = evidence
        self._paged = PagedQuery(endpoint, filters, fetch, evidence.proved)

    @property
    def total(self) -> int | None:
        """The total number of rows, by the latest reply."""
        return self._paged.total

    async def read(self, concurrency: int) -> None:
        """Read every row, and add to the evidence.

        If rows change places, everything is read once more, with replies joined by dates too. If the API serves a
        different number of rows than its total although no change was seen, everything is read once more, to see
        whether the same rows are served again; or state by state, if the endpoint has states.
        """
        drifted = self._evidence.drifted
        try:
            await self._read_joined(concurrency)
        except FixedPages as pages:
            self._evidence.drifted = drifted  # pages of one size differ without a change
            await self._read_fixed(pages.rows, concurrency)

    async def _read_joined(self, concurrency: int) -> None:
        """Read windows that share rows, and add to the evidence."""
        chained = await read_chain(self._paged, self._evidence, concurrency)
        first = self._paged.replies
        await self._read_again(chained, concurrency)
        self._evidence.drifted = self._drifted()
        self._evidence.requests += self._paged.replies
        self._evidence.extra_requests += chained.spent + self._paged.replies - first

    async def _read_again(self, chained: Chained, concurrency: int) -> None:
        """Read once more if the first reading is not conclusive; see `read`."""
        claimed, reached = self.total, chained.reached
        if chained.unsteady:
            await read_chain(self._paged, self._evidence, concurrency, by_date=True)
        elif claimed is None:
            return
        elif claimed != reached and not self._drifted():
            await self._read_unserved(claimed, reached, concurrency)
        elif chained.not_served > max(TOP_ROWS, claimed // _CUT_SHARE):
            self._evidence.complete = False
            self._note_served(claimed, reached, "while the account changed")

    async def _read_unserved(self, claimed: int, reached: int, concurrency: int) -> None:
        """Read once more, since a steady account served a different number of rows than its total."""
        if claimed > reached and self._states:
            await self._read_states(claimed, reached, concurrency)
            return
        again = await read_chain(self._paged, self._evidence, concurrency)
        same = again.reached == reached
        self._evidence.confirmed = same
        self._note_served(claimed, reached, "twice the same" if same else "and others when read again")

    def _note_served(self, claimed: int, reached: int, more: str) -> None:
        self._evidence.notes.append(
            f"{self._paged.path}: {plural(claimed, 'row is', 'rows are')} claimed, "
            f"{plural(reached, 'is', 'are')} served, {more}"
        )

    async def _read_fixed(self, rows: int, concurrency: int) -> None:
        """Read pages of one size, and add to the evidence."""
        self._paged.fix(rows)
        first = self._paged.replies
        reached, readings = await read_twice(self._paged, concurrency)
        if self._paged.refusal:
            raise self._paged.refusal
        self._evidence.complete &= readings > 0 and reached >= (self.total or 0)
        self._evidence.confirmed |= readings > 0 and self.total not in (None, reached)
        self._evidence.drifted |= readings != 2 or self._paged.claims_differ
        self._evidence.notes.append(
            f"{self._paged.path}: {plural(rows, 'row comes', 'rows come')} on a page, whatever is asked for; "
            f"{plural(reached, 'is', 'are')} served, "
            f"{'twice the same' if readings else 'and others each time'}"
        )
        self._evidence.requests += self._paged.replies
        self._evidence.extra_requests += first + (self._paged.replies - first) // 2

    async def _read_states(self, claimed: int, reached: int, concurrency: int) -> None:
        """Read state by state, since the query gave fewer rows than its total; add to the evidence.

        If more rows come than before, the API limits the rows of one query, and the new rows are kept. But rows can
        change their state between two queries, so such a reading never proves that no row is missing.
        """
        found = 0
        for filters in self._states:
            paged = PagedQuery(self._endpoint, filters, self._fetch)
            found += (await read_chain(paged, Evidence(), concurrency)).reached
            self._evidence.requests += paged.replies
            self._evidence.extra_requests += paged.replies
        self._evidence.complete = False
        self._note_served(
            claimed,
            reached,
            f"{found:,} when read in parts by a state that can change, which proves nothing",
        )

    def _drifted(self) -> bool:
        return self._evidence.drifted or self._paged.claims_differ
