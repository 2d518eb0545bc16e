"""Where revenue comes from: events, where the account serves them, else changes of the contacts' totals.

GET /revenue is not documented, so anything may answer there. An answer of another shape means that the account serves
no events, at once: only what may be a passing fault is tried again, and not even that where the account is known to
serve none.

Derived revenue grows: each snapshot is the rows of the one before it plus one row for every contact whose total or
conversions differ from the sum of those rows. Sums over contact-sourced rows therefore equal the contacts' totals at
any moment, also after a contact has gone (a negative row) or a pull was left out. What does not belong here: reading
the events (`snapshot`).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from pipelines.errors import AccessError, DataError, RequestError, ServiceError
from pipelines.pull.decode.decoder import ReplyDecoder
from pipelines.pull.endpoints import REVENUE as ENDPOINT
from pipelines.pull.replies.batches import BATCH_ROWS
from pipelines.pull.write.scratch import scratch
from pipelines.runs import now, recorded
from pipelines.settings import Settings
from pipelines.snapshots import (
    Snapshot,
    data_file,
    dataset_lock,
    draft,
    latest,
    new_snapshot_id,
    pages_file,
    quarantine_file,
    seal,
    snapshots,
)
from pipelines.storage import storage_errors
from pipelines.trackly.client import TracklyClient, Unreadable
from pipelines.trackly.replies.pages import get_page
from pipelines.warehouse.published import published_rows
from schemas.derived.arrow import arrow_schema, quarantine_schema
from schemas.derived.frames import broken_rows
from schemas.derived.tables import create_table, literal
from schemas.own_tables.pull_columns import BOOKKEEPING
from schemas.own_tables.sync import PAGES, Manifest
from schemas.revenue import FROM_CONTACTS, FROM_EVENTS, REVENUE

_log = logging.getLogger(__name__)

_BALANCES = """
CREATE TEMP TABLE balances AS
SELECT phone_number, list_id, sum(revenue) AS revenue, sum(conversion_count) AS conversion_count
FROM revenue GROUP BY phone_number, list_id
"""

_CHANGES = """
INSERT INTO revenue BY NAME
SELECT
    coalesce(contact.revenue_total, 0) - coalesce(balance.revenue, 0) AS revenue,
    coalesce(contact.conversion_count, 0) - coalesce(balance.conversion_count, 0) AS conversion_count,
    $source AS source,
    phone_number,
    list_id,
    coalesce(contact.synced_at, $taken::TIMESTAMPTZ) AS timestamp,
    (SELECT max(timestamp) FROM revenue) AS since,
    coalesce(contact.synced_at, $taken::TIMESTAMPTZ) AS synced_at,
    $snapshot AS snapshot,
    coalesce(contact.page, 0) AS page
FROM contacts AS contact FULL JOIN balances AS balance USING (phone_number, list_id)
WHERE coalesce(contact.revenue_total, 0) <> coalesce(balance.revenue, 0)
   OR coalesce(contact.conversion_count, 0) <> coalesce(balance.conversion_count, 0)
"""


def _last_source(settings: Settings) -> str:
    last = latest(settings.parquet_dir, "revenue")
    return last.manifest.source if last else ""


def came_from_contacts(settings: Settings) -> bool:
    """Whether the last revenue snapshot was derived from contacts."""
    return _last_source(settings) == FROM_CONTACTS


async def with_derived(settings: Settings, made: list[Snapshot], run: str) -> list[Snapshot]:
    """Snapshots about to be published, and the revenue that belongs to contacts among them, where it is derived.

    Args:
        settings: see `Settings`.
        made: the snapshots.
        run: the run's id.
    """
    contacts = next((snapshot for snapshot in made if snapshot.manifest.dataset == "contacts"), None)
    if contacts is None or not came_from_contacts(settings):
        return made
    return [*made, await derived(settings, contacts, run)]


async def derived(settings: Settings, contacts: Snapshot, run: str) -> Snapshot:
    """Make the revenue snapshot that belongs to a contacts snapshot, under a run record of its own.

    Args:
        settings: see `Settings`.
        contacts: the snapshot whose totals it is to match.
        run: the run's id.

    Raises:
        StorageError, BusyError: the disk or another process stood in the way.
    """
    with recorded(settings.data_dir, run, "pull revenue") as record:
        async with dataset_lock(settings.parquet_dir, "revenue"):
            with _earlier_balances(settings) as earlier:
                snapshot = derive_revenue(settings.parquet_dir / "revenue", contacts, earlier, run)
        record.rows = snapshot.manifest.rows
        return snapshot


@contextmanager
def _earlier_balances(settings: Settings) -> Iterator[Path | None]:
    """The published revenue; without a warehouse, the newest on disk that came from contacts."""
    if settings.warehouse.exists():
        with published_rows(settings, "revenue", settings.parquet_dir) as rows:
            yield rows
        return
    ours = [s for s in snapshots(settings.parquet_dir, "revenue") if s.manifest.source == FROM_CONTACTS]
    yield ours[-1].data if ours else None


async def serves_events(client: TracklyClient, settings: Settings) -> bool:
    """Whether the account serves revenue events: ask for the first page.

    Args:
        client: an open client.
        settings: where the last revenue snapshot lies, if there is one.

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


def derive_revenue(dataset_dir: Path, contacts: Snapshot, earlier: Path | None, run: str) -> Snapshot:
    """Write the revenue snapshot that belongs to a contacts snapshot.

    Args:
        dataset_dir: the folder of revenue snapshots.
        contacts: the snapshot whose totals it is to match.
        earlier: rows of the latest revenue snapshot, as Parquet; of those, the ones from contacts are taken over.
        run: the run that asks.

    Raises:
        StorageError: the disk refused.
    """
    started = now()
    snapshot = new_snapshot_id(dataset_dir)
    with draft(dataset_dir, snapshot) as folder:
        rows = _write_rows(folder, snapshot, contacts, earlier)
        with storage_errors("write", folder):
            pq.write_table(quarantine_schema().empty_table(), quarantine_file(folder))
            pq.write_table(arrow_schema(PAGES).empty_table(), pages_file(folder))
        _validate(data_file(folder))
        manifest = Manifest(
            dataset=REVENUE.name,
            snapshot=snapshot,
            run=run,
            started_at=started,
            finished_at=now(),
            rows=rows,
            quarantined=0,
            consistency=contacts.manifest.consistency,
            evidence=f"changes of the totals in contacts snapshot {contacts.manifest.snapshot}",
            source=FROM_CONTACTS,
            personal_data=contacts.manifest.personal_data,
        )
        return seal(folder, manifest)


def _write_rows(folder: Path, snapshot: str, contacts: Snapshot, earlier: Path | None) -> int:
    values = {"source": FROM_CONTACTS, "taken": contacts.manifest.finished_at, "snapshot": snapshot}
    with scratch(folder) as connection:
        connection.execute(f"CREATE VIEW contacts AS FROM read_parquet({literal(str(contacts.data))})")
        connection.execute(create_table("revenue", (*REVENUE.fields, *BOOKKEEPING.fields)))
        if earlier:
            connection.execute(
                f"INSERT INTO revenue BY NAME FROM read_parquet({literal(str(earlier))}) WHERE source = $source",
                {"source": FROM_CONTACTS},
            )
        connection.execute(_BALANCES)
        connection.execute(_CHANGES, values)
        target = literal(str(data_file(folder)))
        copied = connection.execute(f"COPY revenue TO {target} (FORMAT parquet, COMPRESSION zstd)").fetchall()
    return int(copied[0][0])


def _validate(data: Path) -> None:
    """Hold the rows to their own contract: what breaks it here is ours, not the API's."""
    for batch in pq.ParquetFile(data).iter_batches(BATCH_ROWS):
        broken = broken_rows(REVENUE, batch)
        if broken:
            raise DataError(
                f"revenue: {len(broken)} derived rows break the contract: {min(broken.values())}."
            )
