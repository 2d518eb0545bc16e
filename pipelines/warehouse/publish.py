"""Snapshots into tables: main.<dataset>, quarantine.<dataset>, and the sync schema, in one swap.

What does not belong here: how the file is replaced (see `swap`) and what pushes leave behind (see `push`).
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec

from pipelines import runs
from pipelines.pull.snapshot import Snapshot, snapshots
from pipelines.settings import Settings
from pipelines.warehouse.swap import reading, replacing
from schemas.bookkeeping import BOOKKEEPING, QUARANTINED
from schemas.columns import Dataset, Field
from schemas.registry import PULLED
from schemas.sync import PAGES, RUNS, SNAPSHOTS, Manifest
from schemas.tables import comments, create_table, literal


def publish(settings: Settings, new: Sequence[Snapshot]) -> None:
    """Put snapshots in place of what the warehouse holds of their datasets, all at once.

    Datasets that the warehouse does not have yet get empty tables, so that queries never miss one.

    Raises:
        BusyError: another writer held the warehouse for too long.
        StorageError: the disk refused; the warehouse is as it was.
    """
    with replacing(settings.warehouse) as connection:
        before = _published(connection)
        for schema in ("quarantine", "sync", "imports"):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        now = {snapshot.manifest.dataset: snapshot for snapshot in new}
        for name, dataset in PULLED.items():
            if name in now or name not in before:
                _replace_dataset(connection, dataset, now.get(name))
        current = before | {name: snapshot.manifest.snapshot for name, snapshot in now.items()}
        _account(connection, settings, current)


def published(warehouse: Path) -> dict[str, Manifest]:
    """What the warehouse holds: by dataset, the manifest of its snapshot. Empty before the first pull.

    Raises:
        StorageError: the warehouse cannot be read.
    """
    if not warehouse.exists():
        return {}
    columns = ", ".join(field.name for field in SNAPSHOTS.fields if field.name != "published")
    with reading(warehouse) as connection:
        if not _has_table(connection, "sync", "snapshots"):
            return {}
        rows = connection.execute(
            f"SELECT to_json(s)::VARCHAR FROM (SELECT {columns} FROM sync.snapshots WHERE published) s"
        ).fetchall()
    manifests = [msgspec.json.decode(row, type=Manifest) for (row,) in rows]
    return {manifest.dataset: manifest for manifest in manifests}


def _published(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    if not _has_table(connection, "sync", "snapshots"):
        return {}
    rows = connection.execute("SELECT dataset, snapshot FROM sync.snapshots WHERE published").fetchall()
    return dict(rows)


def _has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    query = "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?"
    return connection.execute(query, [schema, table]).fetchone() is not None


def _replace_dataset(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, snapshot: Snapshot | None
) -> None:
    fields = (*dataset.fields, *BOOKKEEPING.fields)
    data, quarantine = (snapshot.data, snapshot.quarantine) if snapshot else (None, None)
    _replace_table(connection, f"main.{dataset.name}", dataset, fields, data)
    _replace_table(connection, f"quarantine.{dataset.name}", QUARANTINED, QUARANTINED.fields, quarantine)


def _replace_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    dataset: Dataset,
    fields: Sequence[Field],
    parquet: Path | None,
) -> None:
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute("CHECKPOINT")  # frees the old table's blocks for the new one
    connection.execute(create_table(table, fields))
    if parquet is not None:
        connection.execute(f"INSERT INTO {table} BY NAME FROM read_parquet({literal(str(parquet))})")
    for comment in comments(table, dataset, fields):
        connection.execute(comment)


def _account(connection: duckdb.DuckDBPyConnection, settings: Settings, current: dict[str, str]) -> None:
    """Rebuild sync.snapshots, sync.pages and sync.runs from what is on disk."""
    kept = [snapshot for name in PULLED for snapshot in snapshots(settings.parquet_dir, name)]
    manifests = [
        {
            **msgspec.to_builtins(s.manifest),
            "published": current.get(s.manifest.dataset) == s.manifest.snapshot,
        }
        for s in kept
    ]
    _replace_rows(connection, SNAPSHOTS, manifests)
    _replace_rows(connection, RUNS, [_run_row(record) for record in runs.records(settings.data_dir)])
    _replace_table(connection, "sync.pages", PAGES, PAGES.fields, None)
    if kept:
        files = ", ".join(literal(str(snapshot.pages)) for snapshot in kept)
        connection.execute(f"INSERT INTO sync.pages BY NAME FROM read_parquet([{files}])")


def _run_row(record: msgspec.Struct) -> dict[str, object]:
    row = msgspec.json.decode(msgspec.json.encode(record), type=dict[str, object])
    row["details"] = None if row["details"] is None else msgspec.json.encode(row["details"]).decode()
    return row


def _replace_rows(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, rows: Sequence[dict[str, object]]
) -> None:
    """Fill a table of the sync schema; times are ISO 8601 texts that DuckDB casts."""
    table = f"sync.{dataset.name}"
    _replace_table(connection, table, dataset, dataset.fields, None)
    marks = ", ".join("?" for _ in dataset.columns)
    if rows:
        connection.executemany(
            f"INSERT INTO {table} VALUES ({marks})", [[row[name] for name in dataset.columns] for row in rows]
        )
