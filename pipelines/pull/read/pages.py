"""Requests one page, and returns the slice of the order that its reply is.

This module handles cases that the vendor's documentation leaves open: servers that give fewer rows per page than
requested, and answers to a page beyond the last one (no rows, a refusal, or the last page again). What does not
belong here: which pages to ask for, and what follows from their rows (see `scan`).
"""

from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pipelines.errors import RequestError
from pipelines.pull.decode.row_keys import Keys, Seen
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.read.page_check import PageCheck
from pipelines.pull.read.windows import Window, after, is_keyed
from pipelines.pull.replies.accept import Check
from pipelines.trackly.client import Query

UNPAGED_ROWS = 1 << 62
"""`per_page` of a reply that is not paged; any number of rows fits."""

_TELLING_ROWS = 10
"""Rows that the first page must have to be recognised by them: so many rows do not move to another page by chance."""


class Fetch(Protocol):
    """Gets one reply and keeps it for the snapshot."""

    def __call__(self, query: Query, check: Check, *, fresh: bool) -> Awaitable[Seen]:
        """Request one page.

        Args:
            query: its parameters.
            check: called with the reply before the reply is kept.
            fresh: whether the page must be requested now; else a recent reply of an interrupted pull may be used.
        """


@dataclass(frozen=True, slots=True)
class Slice:
    """A window's reply, reduced to the keys and times that link it to other replies.

    Attributes:
        window: what was asked for.
        keys: one per row.
        total: the total number of rows that the reply gives.
        newest: time of its first row, if the order is documented and the row has the time.
        oldest: the same for its last row.
        replies: if it is merged from several replies, the keys of each; they may be of different moments.
    """

    window: Window
    keys: Keys
    total: int | None
    newest: datetime | None = None
    oldest: datetime | None = None
    replies: tuple[Keys, ...] = ()

    @property
    def ends(self) -> bool:
        """Whether the order ended within this reply."""
        return len(self.keys) < self.window.per_page

    @property
    def stop(self) -> int:
        """Position after its last row."""
        return self.window.start + len(self.keys)


def dated_apart(upper: Slice, lower: Slice) -> bool:
    """Whether two replies overlap by more than rows of one date.

    Then they hold every row between them, also if rows of the same date come in a different order each time: rows
    newer than the last row of the upper reply are in the upper one, and rows older than the first row of the lower
    reply are in the lower one.
    """
    return upper.oldest is not None and lower.newest is not None and lower.newest > upper.oldest


class FixedPages(Exception):  # noqa: N818 - how a server pages, for the scan
    """Raised when the server gives pages of one size, whatever size is requested.

    Args:
        rows: the size.
    """

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.rows = rows


class PagedQuery:
    """One query of an endpoint, page by page.

    Args:
        endpoint: the endpoint to read.
        filters: the query's parameters, except those of the page.
        fetch: gets one reply and keeps it.
        proved: digests of this endpoint's first pages that hold all rows; added to.

    Attributes:
        path: the endpoint's, for notes.
        largest: the most rows that the API gives on one page, as far as is known.
        total: the total number of rows, by the latest reply.
        claims_differ: whether the total changed from one reply to the next.
        replies: how many were read.
        end_is_known: for pages of one size, whether the total shows the end; a page's own number does not.
    """

    def __init__(
        self, endpoint: Endpoint, filters: Mapping[str, str], fetch: Fetch, proved: set[int] | None = None
    ) -> None:
        self.path = endpoint.path
        self.proved = set() if proved is None else proved
        self.largest = endpoint.largest or UNPAGED_ROWS
        self.total: int | None = None
        self.claims_differ = False
        self.replies = 0
        self.end_is_known = False
        self._fixed = False
        self._refused: tuple[int, RequestError] | None = None
        self._first: tuple[Keys, int | None] = ((), None)
        self._filters = filters
        self._get = fetch

    @property
    def refusal(self) -> RequestError | None:
        """The last refusal of a page that should have rows by the latest total."""
        start, refusal = self._refused or (0, None)
        return refusal if self.total is not None and start < self.total else None

    def know_first(self, top: Slice) -> None:
        """Remember the first page, so that it is not mistaken for another one."""
        self._first = (top.keys, top.total) if len(set(top.keys)) >= _TELLING_ROWS else ((), None)

    def fix(self, rows: int) -> None:
        """From now on request only pages of the server's size."""
        self._fixed, self.largest, self._refused = True, rows, None
        self.end_is_known = self.total is not None and self.total > rows

    def following(self, seen: Slice) -> Window:
        """Return the window after a reply; pages of one size do not overlap."""
        stop = seen.window.stop
        return Window(stop // self.largest + 1, self.largest) if self._fixed else after(stop, self.largest)

    async def ask(self, window: Window, *, fresh: bool = True, may_be_last: bool = False) -> Slice:
        """Request one window; beyond the end, the slice has no rows, or those of the last page at their own place.

        Args:
            window: the window to request.
            fresh: see `Fetch`.
            may_be_last: whether the first page may be the last one, without a total that shows it.

        Raises:
            FixedPages: more rows came than requested, for the first time with this server.
        """
        keys, total = self._first
        check = PageCheck(window, first_keys=keys, first_total=total, may_be_last=may_be_last)
        try:
            seen = await self._get(self._query(window), check, fresh=fresh)
        except RequestError as refusal:
            if window.page == 1:
                raise
            self._refused = (window.start, refusal)
            return Slice(window, (), self.total)
        self.replies += 1
        self._refuse_more_rows(window, seen)
        self.claims_differ |= self.total is not None and seen.total != self.total
        self.total = seen.total
        return Slice(self._place_of(window, seen), seen.keys, seen.total, seen.newest, seen.oldest)

    def _query(self, window: Window) -> Query:
        if window.per_page == UNPAGED_ROWS:
            return self._filters
        return {**self._filters, "page": window.page, "per_page": window.per_page}

    def _refuse_more_rows(self, window: Window, seen: Seen) -> None:
        """Check that a reply has no more rows than requested, unless it may have.

        Raises:
            FixedPages: it has.
        """
        size = max(len(seen.keys), seen.per_page or 0) if window.page > 1 else len(seen.keys)
        if size > window.per_page and not self._fixed and not may_be_all(window, size, seen.total):
            raise FixedPages(size)

    def _place_of(self, window: Window, seen: Seen) -> Window:
        """Return the window of a reply, by its own page number and page size; remember a smaller size."""
        if seen.page is not None and seen.page != window.page:
            window = Window(seen.page, window.per_page)
        if seen.per_page is not None and 0 < seen.per_page < window.per_page:
            self.largest = seen.per_page
            window = Window(1, seen.per_page)
        return window


def may_be_all(window: Window, rows: int, total: int | None) -> bool:
    """Whether the first reply may have more rows than requested because the API does not page and it has all rows.

    Otherwise the server gives pages of one size; the next page shows which case it is.

    Args:
        window: the requested page.
        rows: number of rows that came.
        total: the reply's total, if it has one.
    """
    return window.page == 1 and rows > window.per_page and total in (None, rows)


def leaves_open(first: Slice) -> bool:
    """Whether a first reply has a different number of rows than requested, and may not hold all rows.

    It may hold all rows; or this may be the server's only page size, or its largest.
    """
    rows, asked = len(first.keys), first.window.per_page
    return rows > asked or (0 < rows < asked and first.total != rows)


def in_same_order(upper: Sequence[int], lower: Sequence[int]) -> bool:
    """Whether the rows that two replies share have the same order in both; repeated rows are ignored.

    Rows without a key are ignored too, since several may have the same content.
    """
    both = set(filter(is_keyed, set(upper).intersection(lower)))
    above, below = list(filter(both.__contains__, upper)), list(filter(both.__contains__, lower))
    if len(above) == len(both) == len(below):
        return above == below
    counts = Counter(above), Counter(below)
    once = {key for key in both if counts[0][key] == counts[1][key] == 1}
    return [key for key in above if key in once] == [key for key in below if key in once]
