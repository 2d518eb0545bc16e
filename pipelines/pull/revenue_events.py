"""Whether an account serves revenue events: GET /revenue is not documented, so anything may answer there.

An answer of another shape means that it does not, at once: only what may be a passing fault is tried again, and not
even that where the account is known to serve none. What does not belong here: reading the events (see `snapshot`),
and revenue out of contacts' totals (`revenue`).
"""

import logging

import msgspec

from pipelines.errors import AccessError, RequestError, ServiceError
from pipelines.pull.decode.decoder import ReplyDecoder
from pipelines.pull.endpoints import REVENUE as ENDPOINT
from pipelines.trackly.client import TracklyClient, Unreadable
from pipelines.trackly.pages import get_page
from schemas.revenue import FROM_CONTACTS, FROM_EVENTS, REVENUE

_log = logging.getLogger(__name__)


async def serves_events(client: TracklyClient, before: str) -> bool:
    """Ask for the first page.

    Args:
        client: an open client.
        before: where the last revenue snapshot came from, if there is one.

    Raises:
        ServiceError: no usable answer, and the account served events before.
    """
    page, per_page = 1, ENDPOINT.largest
    try:
        if before == FROM_EVENTS:
            await get_page(client, ENDPOINT.path, ENDPOINT.envelope, page=page, per_page=per_page)
            return True
        query = {"page": page, "per_page": per_page}
        reply = await client.get(ENDPOINT.path, query, _are_events, patient=before != FROM_CONTACTS)
    except (RequestError, AccessError):  # a refused key shows in the documented reads too
        return False
    except ServiceError:
        if before == FROM_EVENTS:
            raise
        _log.warning("GET /revenue gives no usable answer; revenue is derived from contacts' totals.")
        return False
    if not reply.value:
        _log.warning("GET /revenue gives no revenue events; revenue is derived from contacts' totals.")
    return reply.value


def _are_events(body: bytes) -> bool:
    """Whether a body is a page of events, or of none; one bad row among them is no evidence.

    Raises:
        Unreadable: it is no JSON.
    """
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("not JSON, or cut off") from None
    rows = found.get(ENDPOINT.envelope) if isinstance(found, dict) else None
    return isinstance(rows, list) and (
        not rows or ReplyDecoder(REVENUE.name).read(body).rows.batch.num_rows > 0
    )
