"""Reads what the warehouse holds now; imports little, since `status` uses it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from pipelines.databases.parquet_files import write_parquet
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot, snapshots
from pipelines.storage import is_there
from pipelines.warehouse.swap import file_state, reading
from schemas.derived.tables import literal
from schemas.own_tables.sync import Manifest
from schemas.registry import PUSHED
from schemas.values.outcomes import Outcome

_VERSIONS_OF_TOTALS = """
SELECT
    phone_number, list_id, revenue_total, conversion_count, valid_from, valid_to, synced_at,
    (SELECT max(began_at) FROM sync.history_began WHERE dataset = 'contacts') AS began_at
FROM main.contacts_history
SEMI JOIN (FROM main.contacts_history WHERE revenue_total <> 0 OR conversion_count <> 0) AS earning
    USING (phone_number, list_id)
"""


def published(warehouse: Path) -> dict[str, Manifest]:
    """Return, by dataset, the manifest of the published snapshot; empty before the first pull.

    Raises:
        StorageError: the warehouse cannot be read.
    """
    if not is_there(warehouse):
        return {}
    return dict(_published(warehouse, file_state(warehouse)))


@lru_cache(maxsize=1)
def _published(warehouse: Path, _file: tuple[int, int, int]) -> dict[str, Manifest]:
    """Read and cache the manifests.

    The warehouse is a new file after every change (see `swap`), and a pull asks once per dataset.
    """
    with reading(warehouse) as connection:
        if not has_table(connection, "sync", "snapshots"):
            return {}
        rows = connection.execute(
            "SELECT to_json(s)::VARCHAR FROM (FROM sync.snapshots WHERE published) s"
        ).fetchall()
    manifests = [_manifest(row) for (row,) in rows]
    return {manifest.dataset: manifest for manifest in manifests}


def _manifest(row: str) -> Manifest:
    """Build a manifest from a row as JSON; a null column gets its default, since an older version wrote the row."""
    known = {name: value for name, value in msgspec.json.decode(row).items() if value is not None}
    return _with_iso_times(msgspec.convert(known, Manifest))


def _with_iso_times(manifest: Manifest) -> Manifest:
    """Return the manifest with ISO times; DuckDB writes instants as `2026-01-02 03:04:05+00`."""
    started, finished = (
        datetime.fromisoformat(text).isoformat() for text in (manifest.started_at, manifest.finished_at)
    )
    since = manifest.source_since and datetime.fromisoformat(manifest.source_since).isoformat()
    return msgspec.structs.replace(manifest, started_at=started, finished_at=finished, source_since=since)


@dataclass(frozen=True, slots=True)
class ForPushes:
    """Data that a push needs from the warehouse.

    Attributes:
        lists: id and phone_number of each.
        offers: id, status and external_platform of each.
        calls: calls of imports.chunks that were not refused: the time of the intent, and the dataset.
        without_call: datasets with records that were sent and have no call any more, or for which this is not known.
    """

    lists: Sequence[tuple[Any, ...]] = ()
    offers: Sequence[tuple[Any, ...]] = ()
    calls: Sequence[tuple[datetime, str]] = ()
    without_call: frozenset[str] = frozenset()


def for_pushes(warehouse: Path) -> ForPushes:
    """Return the data that a push needs; empty before the first pull and push.

    Raises:
        StorageError: the warehouse cannot be read.
    """
    return _for_pushes(warehouse, file_state(warehouse)) if is_there(warehouse) else ForPushes()


@lru_cache(maxsize=1)
def _for_pushes(warehouse: Path, _file: tuple[int, int, int]) -> ForPushes:
    """Read and cache the data.

    Opening a warehouse costs as much as ten queries, and a push needs the data in three places.
    """

    def rows(query: str) -> list[tuple[Any, ...]] | None:
        try:
            return connection.execute(query).fetchall()
        except (duckdb.CatalogException, duckdb.BinderException):  # an older version wrote the warehouse
            return None

    with reading(warehouse) as connection:
        without_call = rows(
            "SELECT DISTINCT dataset FROM imports.records"
            f" WHERE attempt > 0 AND chunk IS NULL AND outcome <> '{Outcome.REJECTED}'"
        )
        return ForPushes(
            rows("SELECT id, phone_number FROM main.lists") or (),
            rows("SELECT id, status, external_platform FROM main.offers") or (),
            rows("SELECT intended_at, dataset FROM imports.chunks WHERE state <> 'refused'") or (),
            frozenset(PUSHED if without_call is None else (name for (name,) in without_call)),
        )


def published_snapshot(settings: Settings, dataset: str) -> Snapshot | None:
    """Return the published snapshot of a dataset, if it is still on disk.

    Raises:
        StorageError: the warehouse or a manifest cannot be read.
    """
    manifest = published(settings.warehouse).get(dataset)
    found = snapshots(settings.parquet_dir, dataset) if manifest else []
    return next((s for s in found if manifest and s.manifest.snapshot == manifest.snapshot), None)


@contextmanager
def published_rows(settings: Settings, dataset: str, folder: Path) -> Iterator[Path | None]:
    """Yield the published rows of a dataset as Parquet, from their snapshot or, if it is gone, from the warehouse.

    Args:
        settings: see `Settings`.
        dataset: the dataset.
        folder: for a copy during the block.

    Raises:
        StorageError: the warehouse cannot be read, or the disk refused.
    """
    snapshot = published_snapshot(settings, dataset)
    if snapshot or not is_there(settings.warehouse):
        yield snapshot.data if snapshot else None
        return
    copy = folder / f".{dataset}-published.parquet"
    try:
        with reading(settings.warehouse) as connection:
            known = has_table(connection, "main", dataset)
            if known:
                write_parquet(connection, f"FROM main.{dataset}", copy)
        yield copy if known else None
    finally:
        copy.unlink(missing_ok=True)


@contextmanager
def versions_of_totals(settings: Settings, folder: Path) -> Iterator[Path | None]:
    """Yield every version of the totals of contacts that ever had revenue, as Parquet; None without a history.

    Its columns are those of main.contacts_history with totals, and `began_at`: when the history began.

    Args:
        settings: see `Settings`.
        folder: for the file during the block.

    Raises:
        StorageError: the warehouse cannot be read, or the disk refused.
    """
    copy = folder / ".totals.parquet"
    try:
        with reading(settings.warehouse) as connection:
            known = connection.execute(
                "SELECT 1 FROM duckdb_views() WHERE schema_name = 'main' AND view_name = 'contacts_history'"
            ).fetchone()
            if known:
                connection.execute(f"COPY ({_VERSIONS_OF_TOTALS}) TO {literal(str(copy))} (FORMAT parquet)")
        yield copy if known else None
    finally:
        copy.unlink(missing_ok=True)


def has_revenue_from(warehouse: Path, source: str) -> bool:
    """Whether rows of revenue from one source are published.

    Raises:
        StorageError: the warehouse cannot be read.
    """
    with reading(warehouse) as connection:
        query = "SELECT 1 FROM main.revenue WHERE source = ? LIMIT 1"
        return connection.execute(query, [source]).fetchone() is not None


def last_sent_at(warehouse: Path) -> datetime | None:
    """Return when a contact was last sent to, as of the last pull; None if not known.

    Raises:
        StorageError: the warehouse cannot be read.
    """
    if not is_there(warehouse):
        return None
    with reading(warehouse) as connection:
        if not has_table(connection, "main", "contacts"):
            return None
        ((found,),) = connection.execute(
            "SELECT epoch(max(last_sent_at)) FROM main.contacts WHERE last_sent_at <= now()"
        ).fetchall()
    return None if found is None else datetime.fromtimestamp(found, UTC)


def unread_events(warehouse: Path) -> tuple[int, int]:
    """Return how many events with a right signature could not be read: in all, and in the last seven days.

    Raises:
        StorageError: the warehouse cannot be read.
    """
    if not is_there(warehouse):
        return 0, 0
    with reading(warehouse) as connection:
        if not has_table(connection, "main", "webhook_events"):
            return 0, 0
        ((unread, lately),) = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE received_at > now() - INTERVAL 7 DAY)"
            " FROM main.webhook_events WHERE verified AND event IS NULL"
        ).fetchall()
    return int(unread), int(lately)


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether a table exists.

    Args:
        connection: of a warehouse.
        schema: its schema.
        table: its name.
    """
    query = "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?"
    return connection.execute(query, [schema, table]).fetchone() is not None
