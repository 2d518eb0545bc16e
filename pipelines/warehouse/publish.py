"""Publishes snapshots into main.<dataset>, quarantine.<dataset> and the schema sync, in one swap.

What does not belong here: how the file is replaced (see `swap`), and the tables of pushes (see `push`).
"""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from pipelines.campaigns.publish import note_campaigns
from pipelines.runs.activity_state import unended
from pipelines.runs.recording import as_ended, records
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot, forget_old, readable, snapshots
from pipelines.storage import is_there, storage_errors
from pipelines.warehouse.history.revenue_readings import note_revenue
from pipelines.warehouse.history.versions import note_changes, rewind
from pipelines.warehouse.shrink_guard import guard
from pipelines.warehouse.structure.tables import Tables, complete, insert
from pipelines.warehouse.structure.views import create_views
from pipelines.warehouse.swap import replacing
from pipelines.warehouse.webhook_events import take_events
from schemas.columns import Dataset, Field
from schemas.derived.tables import literal
from schemas.own_tables.pull_columns import BOOKKEEPING, QUARANTINED
from schemas.own_tables.sync import PAGES, RUNS, SNAPSHOTS, RunRecord
from schemas.own_tables.versions import VERSIONED
from schemas.registry import PULLED
from schemas.revenue import FROM_CONTACTS

_log = logging.getLogger(__name__)


def publish(
    settings: Settings,
    new: Sequence[Snapshot],
    *,
    allow_shrink: bool = False,
    under_way: RunRecord | None = None,
) -> list[Snapshot]:
    """Replace the published rows of datasets by snapshots, all in one swap.

    Datasets that the warehouse does not have yet get empty tables, so that queries never miss one. If a later
    snapshot of a dataset is already published, since another pull overtook this one, the later snapshot stays.

    Args:
        settings: see `Settings`.
        new: at most one snapshot per dataset.
        allow_shrink: publish also if more rows disappear than `settings.pull_shrink_share` allows.
        under_way: the activity that publishes, for sync.runs.

    Returns:
        The published snapshots: the new ones, except those that were overtaken.

    Raises:
        BusyError: another writer held the warehouse for too long.
        DataError: too many rows would disappear; the warehouse is as it was.
        StorageError: the disk refused; the warehouse is as it was.
    """
    with readable(new), replacing(settings.warehouse) as connection:
        tables = complete(connection)
        before = _published(connection)
        new = _not_overtaken(new, before)
        for snapshot in new:
            if not allow_shrink:
                guard(connection, snapshot, settings.pull_shrink_share)
            if snapshot.manifest.dataset in VERSIONED:
                note_changes(connection, snapshot)
            _replace_dataset(tables, PULLED[snapshot.manifest.dataset], snapshot)
        published = _follow_up(tables, settings, new, before, under_way)
    current = {name: published.get(name) for name in PULLED}
    forget_old(settings.parquet_dir, settings.keep_snapshots, current)
    return list(new)


def republish(settings: Settings, earlier: Sequence[Snapshot], under_way: RunRecord | None = None) -> None:
    """Publish earlier snapshots again, and restore histories as of their time.

    Args:
        settings: see `Settings`.
        earlier: at most one snapshot per dataset.
        under_way: what publishes, for sync.runs.

    Raises:
        BusyError, StorageError: as `publish`.
    """
    with readable(earlier), replacing(settings.warehouse) as connection:
        tables = complete(connection)
        before = _published(connection)
        for snapshot in earlier:
            if snapshot.manifest.dataset in VERSIONED:
                rewind(connection, snapshot)
            _replace_dataset(tables, PULLED[snapshot.manifest.dataset], snapshot)
        _follow_up(tables, settings, earlier, before, under_way)


def _follow_up(
    tables: Tables,
    settings: Settings,
    snapshots: Sequence[Snapshot],
    before: Mapping[str, str],
    under_way: RunRecord | None,
) -> dict[str, str]:
    """Complete a publish after the rows of snapshots were replaced: records, events, views, readings, counts.

    Args:
        tables: of the warehouse that is being made.
        settings: see `Settings`.
        snapshots: the snapshots that are published now.
        before: by dataset, the snapshot that was published before.
        under_way: what publishes, for sync.runs.

    Returns:
        By dataset, the snapshot that is published.
    """
    now = {snapshot.manifest.dataset: snapshot.manifest.snapshot for snapshot in snapshots}
    published = {**before, **now}
    _note_snapshots(tables, settings, published)
    publish_beside(tables, settings, under_way)
    note_revenue(tables.connection, snapshots)
    note_campaigns(tables.connection, settings, now)
    return published


def _not_overtaken(new: Sequence[Snapshot], before: dict[str, str]) -> list[Snapshot]:
    """Return the snapshots without a later published one.

    Revenue derived from contacts' totals goes with the contacts.
    """
    ids = {snapshot.manifest.dataset: snapshot.manifest.snapshot for snapshot in new}
    kept = []
    for snapshot in new:
        name = snapshot.manifest.dataset
        told_by = "contacts" if snapshot.manifest.source == FROM_CONTACTS and "contacts" in ids else name
        if ids[told_by] < before.get(told_by, ""):
            _log.warning("Another run has published a later snapshot of %s meanwhile; it stays.", name)
            if told_by != name:  # revenue without contacts, which must not count as the newest
                with storage_errors("delete", snapshot.folder):
                    shutil.rmtree(snapshot.folder)
        else:
            kept.append(snapshot)
    return kept


def _published(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    rows = connection.execute("SELECT dataset, snapshot FROM sync.snapshots WHERE published").fetchall()
    return dict(rows)


def _replace_dataset(tables: Tables, dataset: Dataset, snapshot: Snapshot) -> None:
    fields = (*dataset.fields, *BOOKKEEPING.fields)
    _refill(tables, f"main.{dataset.name}", dataset, fields, snapshot.data)
    if snapshot.manifest.source:  # earlier versions kept rows of the other source
        wanted = [snapshot.manifest.source]
        tables.connection.execute(f"DELETE FROM main.{dataset.name} WHERE source <> ?", wanted)
    _refill(tables, f"quarantine.{dataset.name}", QUARANTINED, QUARANTINED.fields, snapshot.quarantine)


def _refill(
    tables: Tables,
    table: str,
    dataset: Dataset,
    fields: Sequence[Field],
    parquet: Path,
) -> None:
    tables.replace(table, dataset, fields)
    tables.connection.execute(f"INSERT INTO {table} BY NAME FROM read_parquet({literal(str(parquet))})")


def _note_snapshots(tables: Tables, settings: Settings, current: Mapping[str, str]) -> None:
    """Rebuild sync.snapshots and sync.pages from the files on disk.

    Args:
        tables: of the warehouse that is being made.
        settings: where the snapshots lie.
        current: by dataset, the snapshot that is published.
    """
    kept = [snapshot for name in PULLED for snapshot in snapshots(settings.parquet_dir, name)]
    manifests = [
        {
            **msgspec.to_builtins(s.manifest),
            "published": current.get(s.manifest.dataset) == s.manifest.snapshot,
            "path": s.data.relative_to(settings.data_dir).as_posix(),
            "quarantine_path": s.quarantine.relative_to(settings.data_dir).as_posix(),
        }
        for s in kept
    ]
    _replace_rows(tables, SNAPSHOTS, manifests)
    tables.replace("sync.pages", PAGES, PAGES.fields)
    if kept:
        files = ", ".join(literal(str(snapshot.pages)) for snapshot in kept)
        # a replay shares the replies of the snapshot whose rows it validates again
        with readable(kept):
            tables.connection.execute(
                f"INSERT INTO sync.pages BY NAME SELECT DISTINCT * FROM read_parquet([{files}])"
            )


def publish_beside(tables: Tables, settings: Settings, under_way: RunRecord | None = None) -> None:
    """What every publish brings up to date beside its own tables: records of runs, events, and then the views.

    Args:
        tables: of a warehouse that takes its place next.
        settings: where records and events lie.
        under_way: what publishes, for sync.runs.

    Raises:
        StorageError: a record or the events cannot be read.
    """
    _publish_runs(tables, settings.data_dir, under_way)
    take_events(tables, settings)
    create_views(tables.connection)


def _publish_runs(tables: Tables, data_dir: Path, under_way: RunRecord | None = None) -> None:
    """Fill sync.runs from the records on disk.

    Args:
        tables: of a warehouse that is being written.
        data_dir: the data directory.
        under_way: the activity that does this; its own record is written later.

    Raises:
        StorageError: a record cannot be read.
    """
    killed = [record for record in unended(data_dir) if record.status == "killed"]
    every = [*records(data_dir), *killed, *([as_ended(under_way)] if under_way else ())]
    _replace_rows(tables, RUNS, [_run_row(record) for record in every])


def note_runs(settings: Settings) -> None:
    """Update sync.runs after a run that publishes nothing else; do nothing without a warehouse.

    Raises:
        BusyError, StorageError: as `publish`.
    """
    if is_there(settings.warehouse):
        with replacing(settings.warehouse) as connection:
            _publish_runs(complete(connection), settings.data_dir)


def _run_row(record: msgspec.Struct) -> dict[str, object]:
    row = msgspec.json.decode(msgspec.json.encode(record), type=dict[str, object])
    row["details"] = None if row["details"] is None else msgspec.json.encode(row["details"]).decode()
    return row


def _replace_rows(tables: Tables, dataset: Dataset, rows: Sequence[dict[str, object]]) -> None:
    """Fill a table of the sync schema; times are ISO 8601 texts that DuckDB casts.

    All rows are inserted together: a year of hourly pulls has 44,000 records, which would take half a minute one by
    one.
    """
    table = f"sync.{dataset.name}"
    tables.replace(table, dataset, dataset.fields)
    if rows:
        columns = {name: [row[name] for row in rows] for name in dataset.columns}
        insert(tables.connection, table, pa.table(columns))
