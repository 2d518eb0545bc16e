"""The source of revenue: events if the account serves them, otherwise changes of the contacts' totals.

GET /revenue is not documented, so any answer is possible. An answer of another shape means that the account serves no
events, without a retry. Only temporary faults are retried, and not even these if the account is known to serve no
events. Published revenue has one source. Events replace totals when all events were read, or when they sum to the
totals: proven revenue is not replaced by revenue that may be incomplete. The same rule holds for a first pull that
reads contacts too, since its events would be the source of revenue from then on. What does not belong here: reading
the events (`snapshot`), and the rows that are made of totals (`revenue_changes`).
"""

import logging

import msgspec

from pipelines.databases.duckdb_scratch import scratch
from pipelines.errors import AccessError, RequestError, ServiceError, UsageError
from pipelines.pull.decode.decoder import ReplyDecoder
from pipelines.pull.derived.revenue_changes import derive, derived, is_made_of, rows_derived
from pipelines.pull.draft import Draft
from pipelines.pull.endpoints import REVENUE as ENDPOINT
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot, latest, readable, snapshots
from pipelines.storage import is_there
from pipelines.text.humanize import money
from pipelines.trackly.client import TracklyClient, Unreadable
from pipelines.trackly.replies.pages import get_page
from pipelines.warehouse.published import has_revenue_from, published
from pipelines.warehouse.swap import reading
from schemas.derived.tables import literal
from schemas.own_tables.sync import Manifest
from schemas.revenue import FROM_CONTACTS, FROM_EVENTS, REVENUE

_log = logging.getLogger(__name__)


def _last_source(settings: Settings) -> str:
    """Return the source of the published revenue, or of the newest snapshot if none is published."""
    before = published(settings.warehouse).get(REVENUE.name)
    if before is None:
        last = latest(settings.parquet_dir, REVENUE.name)
        before = last.manifest if last else None
    return before.source if before else ""


def came_from_contacts(settings: Settings) -> bool:
    """Whether the published revenue was derived from contacts, also if events were wrongly added to it."""
    last = _last_source(settings)
    return last == FROM_CONTACTS or (
        last == FROM_EVENTS and has_revenue_from(settings.warehouse, FROM_CONTACTS)
    )


def may_use_totals(settings: Settings, has_contacts: bool) -> bool:
    """Whether totals are preferred to events that may be incomplete: they are until events are published.

    Args:
        settings: see `Settings`.
        has_contacts: whether contacts are there without reading them only for this.
    """
    return came_from_contacts(settings) or (
        has_contacts and REVENUE.name not in published(settings.warehouse)
    )


async def with_derived(settings: Settings, made: list[Snapshot], run: str) -> list[Snapshot]:
    """Return the snapshots to publish, with the derived revenue if contacts are among them and revenue is derived.

    Args:
        settings: see `Settings`.
        made: the snapshots.
        run: the run's id.
    """
    contacts = _contacts_of_revenue(settings, made)
    return [*made, await derived(settings, contacts, run)] if contacts else made


async def newest_together(settings: Settings, newest: list[Snapshot], run: str) -> list[Snapshot]:
    """The newest snapshots of all datasets; revenue of other contacts' totals than these is made again.

    Contacts may have been read alone since, or revenue made of earlier ones by a rollback.

    Args:
        settings: see `Settings`.
        newest: at most one snapshot per dataset.
        run: the run's id.

    Raises:
        StorageError, BusyError: the disk or another process stood in the way.
    """
    by_name = {snapshot.manifest.dataset: snapshot for snapshot in newest}
    contacts, revenue = by_name.get("contacts"), by_name.get(REVENUE.name)
    is_derived = revenue is not None and revenue.manifest.source == FROM_CONTACTS
    if contacts and revenue and is_derived and not is_made_of(revenue.manifest, contacts.manifest):
        by_name[REVENUE.name] = await derived(settings, contacts, run)
    return list(by_name.values())


def contacts_to_go_with(settings: Settings, snapshot: Snapshot) -> Snapshot | None:
    """Return the contacts that have to be published with derived revenue, so that both have the same sum.

    Args:
        settings: see `Settings`.
        snapshot: the snapshot to publish, of any dataset.

    Returns:
        The contacts that the revenue is made of; None if the published contacts have the same sum already, or if the
        snapshot is not derived revenue.

    Raises:
        UsageError: these contacts are not kept any more.
        StorageError: the warehouse or a snapshot cannot be read.
    """
    if snapshot.manifest.source != FROM_CONTACTS or _sums_to_published_totals(settings, snapshot):
        return None
    for contacts in snapshots(settings.parquet_dir, "contacts"):
        if is_made_of(snapshot.manifest, contacts.manifest):
            return contacts
    raise UsageError(
        f"Revenue of snapshot {snapshot.manifest.snapshot} is made of the totals of contacts that are not kept any"
        " more, and the totals of the published contacts have another sum.",
        "Choose contacts to go back to, which bring their revenue: trackly-sync rollback",
    )


def _sums_to_published_totals(settings: Settings, revenue: Snapshot) -> bool:
    if not is_there(settings.warehouse):
        return False
    with readable([revenue]), reading(settings.warehouse) as connection:
        ((is_equal,),) = connection.execute(
            "SELECT coalesce((SELECT sum(revenue_total) FROM main.contacts), 0) ="
            f" coalesce((SELECT sum(revenue) FROM read_parquet({literal(str(revenue.data))})), 0)"
        ).fetchall()
    return bool(is_equal)


async def rows_with(settings: Settings, snapshot: Snapshot) -> dict[str, int]:
    """Return the row counts of other tables that a rollback to a snapshot changes: derived revenue, or its contacts.

    Raises:
        UsageError: as `contacts_to_go_with`.
        StorageError, BusyError: the disk or another process stood in the way.
    """
    if its := contacts_to_go_with(settings, snapshot):
        return {"contacts": its.manifest.rows}
    contacts = _contacts_of_revenue(settings, [snapshot])
    return {"revenue": await rows_derived(settings, contacts)} if contacts else {}


def _contacts_of_revenue(settings: Settings, made: list[Snapshot]) -> Snapshot | None:
    """Return the contacts among some snapshots, if revenue is derived from contacts."""
    contacts = next((snapshot for snapshot in made if snapshot.manifest.dataset == "contacts"), None)
    return contacts if contacts and came_from_contacts(settings) else None


def in_place_of_events(
    settings: Settings, contacts: Snapshot, events: Draft, manifest: Manifest
) -> Snapshot | None:
    """Return derived revenue if events that may be incomplete must not replace it.

    Args:
        settings: see `Settings`.
        contacts: the snapshot whose totals the revenue must match.
        events: the events' draft, with its data file.
        manifest: the events' manifest.

    Returns:
        The derived snapshot; None if the events sum to the totals.

    Raises:
        StorageError: the disk refused.
    """
    with readable([contacts]), scratch(events.folder) as connection:
        served, totals = connection.execute(
            f"SELECT (SELECT coalesce(sum(revenue), 0) FROM read_parquet({literal(str(events.data))})), "
            f"(SELECT coalesce(sum(revenue_total), 0) FROM read_parquet({literal(str(contacts.data))}))"
        ).fetchall()[0]
    if served == totals:
        return None
    why = f"they sum to {money(served)}, contacts' totals to {money(totals)}; {manifest.evidence}"
    _log.warning("Revenue events may be incomplete, so revenue is derived from contacts' totals: %s.", why)
    return derive(settings, contacts, events.run, why)


async def serves_events(client: TracklyClient, settings: Settings) -> bool:
    """Request the first page, to see whether the account serves revenue events.

    Args:
        client: an open client.
        settings: name the folder of the last revenue snapshot.

    Raises:
        ServiceError: no usable answer, and the account served events before.
    """
    before = _last_source(settings)
    page, per_page = 1, ENDPOINT.largest
    try:
        if before == FROM_EVENTS:
            await get_page(client, ENDPOINT.path, ENDPOINT.envelope, page=page, per_page=per_page)
            return True
        query = {"page": page, "per_page": per_page}
        reply = await client.get(ENDPOINT.path, query, _are_events, patient=before != FROM_CONTACTS)
    except (RequestError, AccessError):  # the documented reads show a refused key too
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
    """Whether a body is a page of events, which may be empty; one bad row does not decide.

    Raises:
        Unreadable: it is not JSON.
    """
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("not JSON, or cut off") from None
    rows = found.get(ENDPOINT.envelope) if isinstance(found, dict) else None
    return isinstance(rows, list) and (
        not rows or ReplyDecoder(REVENUE.name).read(body).rows.batch.num_rows > 0
    )
