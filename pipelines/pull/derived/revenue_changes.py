"""Revenue derived from contacts' totals: one row for each change of a contact's totals between two snapshots.

Each snapshot has the rows of the snapshot before it, plus one row for every contact whose total or conversions differ
from the sum of those rows. Sums over contact-sourced rows therefore always equal the contacts' totals, also after a
contact has gone (a negative row) or a pull was skipped. If revenue came from events meanwhile, the changes of that
time are taken from the contacts' history. What does not belong here: when revenue is derived (`revenue_source`).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from pipelines.databases.duckdb_scratch import scratch
from pipelines.databases.parquet_files import write_parquet
from pipelines.errors import DataError
from pipelines.pull.consistency import source_figures, source_since
from pipelines.pull.draft import Draft, dataset_lock, draft
from pipelines.pull.replies.batches import BATCH_ROWS
from pipelines.runs.recording import details, recorded
from pipelines.settings import Settings
from pipelines.snapshots import (
    Snapshot,
    new_snapshot_id,
    readable,
    seal,
    snapshots,
)
from pipelines.storage import storage_errors
from pipelines.warehouse.published import published, published_rows, versions_of_totals
from schemas.derived.arrow import arrow_schema, quarantine_schema
from schemas.derived.pandera_checks import broken_rows
from schemas.derived.tables import create_table, literal
from schemas.own_tables.pull_columns import BOOKKEEPING
from schemas.own_tables.sync import PAGES, Manifest
from schemas.revenue import FROM_CONTACTS, REVENUE

_CONTINUED = """
INSERT INTO revenue BY NAME
WITH
known AS (SELECT max(timestamp) AS until FROM revenue),
versions AS (
    SELECT
        *,
        lag(valid_to) OVER versions_of_contact IS NOT DISTINCT FROM valid_from AS goes_on,
        lag(revenue_total) OVER versions_of_contact AS revenue_before,
        lag(conversion_count) OVER versions_of_contact AS conversions_before,
        lag(synced_at) OVER versions_of_contact AS seen_before,
        lead(valid_from) OVER versions_of_contact AS followed_at
    FROM totals
    WINDOW versions_of_contact AS (PARTITION BY phone_number, list_id ORDER BY valid_from)
),
steps AS (
    SELECT
        phone_number,
        list_id,
        valid_from AS timestamp,
        revenue_total - CASE WHEN goes_on THEN revenue_before ELSE 0 END AS revenue,
        conversion_count - CASE WHEN goes_on THEN conversions_before ELSE 0 END AS conversion_count,
        CASE WHEN goes_on THEN seen_before WHEN valid_from > began_at THEN greatest(began_at, until) END AS since
    FROM versions CROSS JOIN known
    UNION ALL
    SELECT phone_number, list_id, valid_to, -revenue_total, -conversion_count, synced_at
    FROM versions
    WHERE valid_to IS NOT NULL AND followed_at IS DISTINCT FROM valid_to
)
SELECT
    revenue,
    conversion_count,
    $source AS source,
    phone_number,
    list_id,
    timestamp,
    since,
    timestamp AS synced_at,
    $snapshot AS snapshot,
    0 AS page
FROM steps CROSS JOIN known
WHERE (revenue <> 0 OR conversion_count <> 0) AND (until IS NULL OR timestamp > until)
"""
"""Rows for changes in the contacts' history after the last row so far."""

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
    coalesce($earlier::TIMESTAMPTZ, (SELECT max(timestamp) FROM revenue)) AS since,
    coalesce(contact.synced_at, $taken::TIMESTAMPTZ) AS synced_at,
    $snapshot AS snapshot,
    coalesce(contact.page, 0) AS page
FROM contacts AS contact FULL JOIN balances AS balance USING (phone_number, list_id)
WHERE coalesce(contact.revenue_total, 0) <> coalesce(balance.revenue, 0)
   OR coalesce(contact.conversion_count, 0) <> coalesce(balance.conversion_count, 0)
"""


@dataclass(frozen=True, slots=True)
class _Earlier:
    """The revenue before the snapshot that is being made.

    Attributes:
        rows: files of revenue rows; the first one with rows from contacts is continued.
        totals: a file of the versions of contacts' totals, if revenue came from events meanwhile.
        seen_at: when contacts were last read; None if not known.
        published: the manifest of the published revenue; None if none is published.
    """

    rows: tuple[Path, ...] = ()
    totals: Path | None = None
    seen_at: str | None = None
    published: Manifest | None = None


async def derived(settings: Settings, contacts: Snapshot, run: str) -> Snapshot:
    """Make the revenue snapshot of a contacts snapshot, under a separate run record.

    Args:
        settings: see `Settings`.
        contacts: the snapshot whose totals the revenue must match.
        run: the run's id.

    Raises:
        StorageError, BusyError: the disk or another process stood in the way.
    """
    with recorded(settings.data_dir, run, "pull revenue") as record:
        snapshot = await derive_alone(settings, contacts, run)
        record.rows, record.details = snapshot.manifest.rows, details(**source_figures(snapshot.manifest))
        return snapshot


async def derive_alone(settings: Settings, contacts: Snapshot, run: str) -> Snapshot:
    """Do as `derive`, with the dataset's lock.

    Args:
        settings: see `Settings`.
        contacts: the snapshot whose totals it is to match.
        run: the run that asks.

    Raises:
        StorageError, BusyError: the disk or another process stood in the way.
    """
    async with dataset_lock(settings.parquet_dir, REVENUE.name):
        return derive(settings, contacts, run)


async def rows_derived(settings: Settings, contacts: Snapshot) -> int:
    """Return how many rows `derived` would make; nothing is kept.

    Raises:
        StorageError, BusyError: the disk or another process stood in the way.
    """
    async with dataset_lock(settings.parquet_dir, REVENUE.name):
        snapshot = new_snapshot_id(settings.parquet_dir / REVENUE.name)
        with (
            draft(settings.parquet_dir / REVENUE.name, snapshot) as folder,
            _earlier(settings, folder) as earlier,
        ):
            return _write_rows(Draft(folder, REVENUE, snapshot), contacts, earlier)


def derive(settings: Settings, contacts: Snapshot, run: str, left_out: str = "") -> Snapshot:
    """Write the revenue snapshot of a contacts snapshot; the caller holds the dataset's lock.

    The revenue has the age of the contacts, also if a rollback makes it, since its figures were read then.

    Args:
        settings: see `Settings`.
        contacts: the snapshot whose totals it is to match.
        run: the run that asks.
        left_out: why the account's events are not used; empty if the account serves none.

    Raises:
        StorageError: the disk refused.
    """
    of_contacts, dataset_dir = contacts.manifest, settings.parquet_dir / REVENUE.name
    snapshot = new_snapshot_id(dataset_dir)
    with draft(dataset_dir, snapshot) as folder:
        made = Draft(folder, REVENUE, snapshot, run)
        with _earlier(settings, folder) as earlier:
            rows = _write_rows(made, contacts, earlier)
        with storage_errors("write", folder):
            pq.write_table(quarantine_schema().empty_table(), made.quarantine)
            pq.write_table(arrow_schema(PAGES).empty_table(), made.pages)
        _validate(made.data)
        manifest = Manifest(
            dataset=REVENUE.name,
            snapshot=snapshot,
            run=run,
            started_at=of_contacts.started_at,
            finished_at=of_contacts.finished_at,
            rows=rows,
            quarantined=0,
            consistency=of_contacts.consistency,
            evidence=_made_of(of_contacts),
            source=FROM_CONTACTS,
            source_since=source_since(earlier.published, FROM_CONTACTS, of_contacts.finished_at),
            events_left_out=left_out,
            personal_data=of_contacts.personal_data,
        )
        return seal(folder, manifest)


def is_made_of(revenue: Manifest, contacts: Manifest) -> bool:
    """Whether derived revenue is that of a contacts snapshot."""
    return revenue.evidence == _made_of(contacts)


def _made_of(contacts: Manifest) -> str:
    return f"changes of the totals in contacts snapshot {contacts.snapshot}"


@contextmanager
def _earlier(settings: Settings, folder: Path) -> Iterator[_Earlier]:
    """Yield the published revenue, or the newest on disk that came from contacts, and changes since."""
    ours = [s for s in snapshots(settings.parquet_dir, REVENUE.name) if s.manifest.source == FROM_CONTACTS]
    on_disk = (ours[-1].data,) if ours else ()
    now_published = published(settings.warehouse)
    before, contacts = now_published.get(REVENUE.name), now_published.get("contacts")
    if before is None:
        with readable(ours[-1:]):
            yield _Earlier(on_disk)
        return
    with ExitStack() as stack:
        stack.enter_context(readable(ours[-1:]))
        rows = stack.enter_context(published_rows(settings, REVENUE.name, folder))
        of_table = (rows,) if rows else ()
        seen = [contacts.finished_at] if contacts else []
        if before.source == FROM_CONTACTS:
            yield _Earlier(of_table, seen_at=min([*seen, before.finished_at]), published=before)
            return
        totals = stack.enter_context(versions_of_totals(settings, folder))
        yield _Earlier((*of_table, *on_disk), totals, min(seen, default=None), before)


def _write_rows(made: Draft, contacts: Snapshot, earlier: _Earlier) -> int:
    values = {"source": FROM_CONTACTS, "snapshot": made.snapshot}
    taken = {"taken": contacts.manifest.finished_at, "earlier": earlier.seen_at}
    with readable([contacts]), scratch(made.folder) as connection:
        connection.execute(f"CREATE VIEW contacts AS FROM read_parquet({literal(str(contacts.data))})")
        connection.execute(create_table(REVENUE.name, (*REVENUE.fields, *BOOKKEEPING.fields)))
        _continue(connection, earlier.rows)
        if earlier.totals:
            connection.execute(f"CREATE VIEW totals AS FROM read_parquet({literal(str(earlier.totals))})")
            connection.execute(_CONTINUED, values)
        connection.execute(_BALANCES)
        connection.execute(_CHANGES, values | taken)
        return write_parquet(connection, "FROM revenue", made.data)


def _continue(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Copy the rows from contacts out of the first file that has some."""
    for path in files:
        ((copied,),) = connection.execute(
            f"INSERT INTO revenue BY NAME FROM read_parquet({literal(str(path))}) WHERE source = $source",
            {"source": FROM_CONTACTS},
        ).fetchall()
        if copied:
            return


def _validate(data: Path) -> None:
    """Validate the derived rows; a failure here is a defect of this code, not of the API."""
    for batch in pq.ParquetFile(data).iter_batches(BATCH_ROWS):
        broken = broken_rows(REVENUE, batch)
        if broken:
            raise DataError(
                f"revenue: {len(broken)} derived rows break the contract: {min(broken.values())}."
            )
