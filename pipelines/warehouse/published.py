"""What the warehouse holds now; light, since `status` asks it."""

from pathlib import Path

import duckdb
import msgspec

from pipelines.pull.snapshot import Snapshot, snapshots
from pipelines.settings import Settings
from pipelines.warehouse.swap import reading
from schemas.sync import SNAPSHOTS, Manifest


def published(warehouse: Path) -> dict[str, Manifest]:
    """What the warehouse holds: by dataset, the manifest of its snapshot. Empty before the first pull.

    Raises:
        StorageError: the warehouse cannot be read.
    """
    if not warehouse.exists():
        return {}
    columns = ", ".join(field.name for field in SNAPSHOTS.fields if field.name != "published")
    with reading(warehouse) as connection:
        if not has_table(connection, "sync", "snapshots"):
            return {}
        rows = connection.execute(
            f"SELECT to_json(s)::VARCHAR FROM (SELECT {columns} FROM sync.snapshots WHERE published) s"
        ).fetchall()
    manifests = [msgspec.json.decode(row, type=Manifest) for (row,) in rows]
    return {manifest.dataset: manifest for manifest in manifests}


def published_snapshot(settings: Settings, dataset: str) -> Snapshot | None:
    """The snapshot that the warehouse holds of a dataset, if it holds one that is still on disk.

    Raises:
        StorageError: the warehouse or a manifest cannot be read.
    """
    manifest = published(settings.warehouse).get(dataset)
    found = snapshots(settings.parquet_dir, dataset) if manifest else []
    return next((s for s in found if manifest and s.manifest.snapshot == manifest.snapshot), None)


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether there is such a table."""
    query = "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?"
    return connection.execute(query, [schema, table]).fetchone() is not None
