"""What materializations carry: numbers that Dagster plots, outcomes, and small previews.

Previews leave out what is personal: phone numbers, messages, custom fields, raw rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import dagster as dg
import pyarrow.parquet as pq

from pipelines.pull.snapshot import Snapshot
from pipelines.push.intake import Intake
from pipelines.push.verdicts import Outcomes
from schemas.bookkeeping import BOOKKEEPING
from schemas.columns import Dataset
from schemas.tables import TYPES, describe

_PERSONAL = frozenset({"phone_number", "to_number", "message", "custom_fields", "metadata", "extra", "raw"})
_PREVIEW_ROWS = 5

Metadata = dict[str, Any]


def column_schema(dataset: Dataset, *, pulled: bool) -> dg.TableSchema:
    """A dataset's columns with their descriptions, as Dagster's asset page shows them."""
    fields = (*dataset.fields, *BOOKKEEPING.fields) if pulled else dataset.fields
    return dg.TableSchema(
        [
            dg.TableColumn(
                field.name,
                TYPES[field.kind],
                description=describe(field),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in fields
        ]
    )


def of_snapshot(snapshot: Snapshot) -> Metadata:
    """What a pulled dataset's materialization carries."""
    manifest = snapshot.manifest
    seconds = dg.MetadataValue.float(_seconds(manifest.started_at, manifest.finished_at))
    return {
        "dagster/row_count": manifest.rows,
        "rows": manifest.rows,
        "quarantined": manifest.quarantined,
        "duration_seconds": seconds,
        "consistency": str(manifest.consistency),
        "evidence": manifest.evidence,
        "snapshot": manifest.snapshot,
        "requests": manifest.requests,
        "retries": manifest.retries,
        "schema_changes": manifest.schema_changes or "none",
        "preview": dg.MetadataValue.md(_preview(snapshot)),
    }


def of_intake(found: Intake, seconds: float) -> Metadata:
    """What a history asset's materialization carries."""
    counts = {
        name: getattr(found, name) for name in ("quarantined", "duplicate", "parked", "known", "pending")
    }
    return {
        "dagster/row_count": found.rows_in,
        "rows": found.rows_in,
        **counts,
        "duration_seconds": seconds,
        "files": [path.name for path in found.files],
        "reasons": dg.MetadataValue.md(_table(["reason", "rows"], list(found.reasons.items()))),
        "preview": dg.MetadataValue.md(_rows_table(found.preview)),
    }


def of_outcomes(counts: Outcomes, seconds: float) -> Metadata:
    """What an import's materialization carries."""
    numbers = asdict(counts)
    return {
        "dagster/row_count": counts.accepted,
        "rows": counts.rows_in,
        **{name: number for name, number in numbers.items() if name != "rows_in"},
        "duration_seconds": seconds,
        "preview": dg.MetadataValue.md(_table(["outcome", "rows"], list(numbers.items()))),
    }


def _preview(snapshot: Snapshot) -> str:
    file = pq.ParquetFile(snapshot.data)
    names = [name for name in file.schema_arrow.names if name not in _PERSONAL][:8]
    for batch in file.iter_batches(_PREVIEW_ROWS, columns=names):
        return _rows_table(batch.to_pylist())
    return _rows_table([])


def _rows_table(rows: Sequence[Mapping[str, Any]]) -> str:
    shown = [{name: value for name, value in row.items() if name not in _PERSONAL} for row in rows]
    return _table(list(shown[0]), [tuple(row.values()) for row in shown]) if shown else "no rows"


def _table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    if not rows:
        return "none"
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def _seconds(started_at: str, finished_at: str) -> float:
    return (datetime.fromisoformat(finished_at) - datetime.fromisoformat(started_at)).total_seconds()
