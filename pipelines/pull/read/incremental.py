"""Reads only new sign-ups, from the top down to rows that the warehouse has; proves no completeness.

What does not belong here: reading all of a dataset (`scan`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipelines.errors import NothingYetError
from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.read.chain import LEAST_EXTRA, Evidence, first_slice
from pipelines.pull.read.pages import Fetch, FixedPages, PagedQuery, Slice
from pipelines.pull.read.windows import Window
from pipelines.pull.replies.accept import Check
from pipelines.settings import Settings
from pipelines.trackly.client import Query
from pipelines.warehouse.published import published
from pipelines.warehouse.swap import reading

_QUERY = (
    "SELECT 1 FROM contacts WHERE phone_number = ? AND list_id = ? AND signup_date IS NOT DISTINCT FROM ?"
)


@contextmanager
def known_contacts(settings: Settings) -> Iterator[Callable[[Seen], bool]]:
    """Yield a function that returns whether the last row of a reply of contacts is published.

    Contacts come newest first (/api-reference/v2/contacts/list-contacts), so no row below such a row is new.

    Raises:
        NothingYetError: no contacts are published.
        StorageError: the warehouse cannot be read.
    """
    if "contacts" not in published(settings.warehouse):
        raise NothingYetError(
            "No contacts are published to go on from.", "Run a full pull first: trackly-sync pull"
        )
    with reading(settings.warehouse) as connection:

        def is_known(seen: Seen) -> bool:
            if not seen.last:
                return False
            phone, list_id, _ = seen.last
            return connection.execute(_QUERY, [phone, list_id, seen.oldest]).fetchone() is not None

        yield is_known


@dataclass(slots=True)
class _UntilKnown:
    """A `Fetch` that notes whether the latest reply reaches rows that are known."""

    fetch: Fetch
    is_known: Callable[[Seen], bool]
    known: bool = False

    async def __call__(self, query: Query, check: Check, *, fresh: bool) -> Seen:
        seen = await self.fetch(query, check, fresh=fresh)
        self.known = self.is_known(seen)
        return seen


async def scan_new(endpoint: Endpoint, fetch: Fetch, is_known: Callable[[Seen], bool]) -> Evidence:
    """Read from the top until a reply reaches known rows; the result is not complete.

    Args:
        endpoint: what to read, newest rows first.
        fetch: gets and keeps replies.
        is_known: whether the last row of a reply is known.

    Raises:
        AccessError, RequestError, ServiceError: as `scan`.
    """
    evidence = Evidence(complete=False, notes=["only new sign-ups were read"])
    until = _UntilKnown(fetch, is_known)
    paged = PagedQuery(endpoint, {}, until)
    found = await _first_of_any_size(paged)
    stalled, oldest = 0, found.oldest
    while not (until.known or _is_end(found)) and stalled < LEAST_EXTRA:
        try:
            found = await paged.ask(paged.following(found))
        except FixedPages as pages:
            paged.fix(pages.rows)
        gained = found.oldest is None or oldest is None or found.oldest <= oldest
        stalled, oldest = (0, found.oldest) if gained else (stalled + 1, oldest)
    if stalled:
        evidence.notes.append(f"{endpoint.path}: rows came faster than they were read")
    evidence.requests, evidence.total = paged.replies, paged.total
    return evidence


async def _first_of_any_size(paged: PagedQuery) -> Slice:
    """Read the first page; if the server gives pages of one size, a page of that size."""
    try:
        return await first_slice(paged)
    except FixedPages as pages:
        paged.fix(pages.rows)
        return await paged.ask(Window(1, pages.rows))


def _is_end(found: Slice) -> bool:
    return found.ends or not found.keys
