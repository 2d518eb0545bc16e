"""Snapshots written by hand and published: rows and times as a test wants them, without an account."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.pull.draft import draft
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot, SnapshotFolder, new_snapshot_id, seal
from pipelines.warehouse.publish import publish
from schemas.columns import Field
from schemas.derived.arrow import TYPES
from schemas.own_tables.pull_columns import BOOKKEEPING, QUARANTINED
from schemas.own_tables.sync import PAGES, Consistency, Manifest
from schemas.registry import PULLED

CONTACT = {
    "active": True, "send_count": 0, "click_count": 0, "revenue_total": 0, "conversion_count": 0, "page": 0,
}  # fmt: skip
"""What a contact must have beside its key."""


def publish_rows(
    settings: Settings,
    dataset: str,
    rows: list[dict[str, Any]],
    read_at: dt.datetime,
    consistency: Consistency = Consistency.EXACT,
) -> Snapshot:
    """Publish rows of a dataset as read at one moment.

    Args:
        settings: whose warehouse.
        dataset: which.
        rows: by column; what is left out is null. `synced_at` is read_at where a row has none.
        read_at: when it was read.
        consistency: of the snapshot; a fuzzy one must hold the rows that it carries on.
    """
    folder = settings.parquet_dir / dataset
    snapshot = new_snapshot_id(folder)
    fields = (*PULLED[dataset].fields, *BOOKKEEPING.fields)
    known = {"synced_at": read_at, "snapshot": snapshot, "page": 0}
    with draft(folder, snapshot) as place:
        files = SnapshotFolder(place)
        pq.write_table(_table(fields, [known | row for row in rows]), files.data)
        pq.write_table(_table(QUARANTINED.fields, []), files.quarantine)
        pq.write_table(_table(PAGES.fields, []), files.pages)
        manifest = Manifest(
            dataset=dataset,
            snapshot=snapshot,
            run=f"run {snapshot}",
            started_at=read_at.isoformat(),
            finished_at=read_at.isoformat(),
            rows=len(rows),
            quarantined=0,
            consistency=consistency,
            source="events" if dataset == "revenue" else "",
        )
        sealed = seal(place, manifest)
    publish(settings, [sealed], allow_shrink=True)
    return sealed


def _table(fields: tuple[Field, ...], rows: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema([(field.name, TYPES[field.kind]) for field in fields])
    return pa.Table.from_pylist(rows, schema)
