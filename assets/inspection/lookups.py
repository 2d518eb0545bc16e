"""Look-ups for assets and checks: rows of snapshots, stages and the tables of imports. No Dagster here.

Add a query here when a page or a check needs one. What must not go in: decisions, and writes.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import StorageError
from pipelines.push.checks.conflicts import CONFLICT
from pipelines.push.intake.found import MOST_REASONS, Intake, held_reasons
from pipelines.push.stage.database import opened, read, stage_path
from pipelines.runs.recording import now
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot, latest
from pipelines.storage import is_there
from pipelines.warehouse.left_out import COMMON_REASON
from pipelines.warehouse.swap import dicts, reading
from schemas.columns import Dataset
from schemas.own_tables.sync import Consistency, Manifest
from schemas.registry import BY_PRODUCT
from schemas.revenue import FROM_CONTACTS
from schemas.values.outcomes import LEFT_OUT, Outcome, sql_list
from schemas.webhook_events import WEBHOOK_EVENTS

_BATCH_ROWS = 50_000
_PREVIEW_ROWS = 5
_MOST_COUNTED = 100_000
"""Rows of all tables up to which rows of views are counted; counting takes about 10 microseconds per row."""


@dataclass(frozen=True, slots=True)
class Content:
    """The data of a dataset that checks read.

    Attributes:
        batches: the rows that are published, or may be sent.
        reasons: number of quarantined rows by reason.
        manifest: of a pulled dataset.
    """

    batches: Iterator[pa.RecordBatch]
    reasons: dict[str, int]
    manifest: Manifest | None


@contextmanager
def snapshot_content(settings: Settings, dataset: Dataset) -> Iterator[Content]:
    """Yield the content of the newest snapshot.

    Raises:
        StorageError: there is no snapshot of a dataset that every account serves.
    """
    snapshot = latest(settings.parquet_dir, dataset.name)
    if snapshot is None and dataset.name in BY_PRODUCT:
        yield Content(iter(()), {}, _not_served(dataset.name))
        return
    if snapshot is None:
        raise StorageError(f"There is no snapshot of {dataset.name} yet.", f"Materialize {dataset.name}.")
    with pq.ParquetFile(snapshot.data) as file:
        batches = file.iter_batches(_BATCH_ROWS, columns=list(dataset.columns))
        yield Content(batches, _reasons(snapshot.quarantine), snapshot.manifest)


def _not_served(name: str) -> Manifest:
    """Return a stand-in manifest for a dataset that the account does not serve."""
    return Manifest(
        dataset=name,
        snapshot="",
        run="",
        started_at=now(),
        finished_at=now(),
        rows=0,
        quarantined=0,
        consistency=Consistency.EXACT,
        evidence="the account does not serve it",
    )


@contextmanager
def input_content(settings: Settings, dataset: Dataset) -> Iterator[Content]:
    """Yield the content of the current history input; rows that wait for their send may still be sent.

    Raises:
        StorageError: there is none.
    """
    with opened(stage_path(settings, dataset.name)) as connection:
        reasons = connection.execute(
            "SELECT reason, count(*) FROM verdicts WHERE outcome = 'quarantined' GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
        batches = read(
            connection,
            f"SELECT {', '.join(dataset.columns)} FROM input "
            "WHERE seq NOT IN (SELECT seq FROM verdicts WHERE outcome = 'quarantined')",
            _BATCH_ROWS,
        )
        yield Content(batches, dict(reasons), None)


def first_rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the first few rows of a snapshot."""
    with pq.ParquetFile(snapshot.data) as file:
        return next((batch.to_pylist() for batch in file.iter_batches(_PREVIEW_ROWS)), [])


def input_rows(settings: Settings, dataset: Dataset) -> list[dict[str, Any]]:
    """Return the first few rows of the current input that could be read."""
    columns = ", ".join(dataset.columns)
    with opened(stage_path(settings, dataset.name)) as connection:
        return dicts(connection, f"SELECT {columns} FROM input WHERE problem IS NULL LIMIT {_PREVIEW_ROWS}")


def recorded_rows(settings: Settings, dataset: Dataset) -> list[dict[str, Any]]:
    """Return a few rows of imports.records, rows that were left out first."""
    with reading(settings.warehouse) as connection:
        return dicts(
            connection,
            "SELECT message_id, outcome, code, reason, chunk, file, row FROM imports.records "
            "WHERE in_input AND dataset = ? "
            f"ORDER BY outcome NOT IN {sql_list(LEFT_OUT)} AND NOT coalesce(differs, false), file, row"
            f" LIMIT {_PREVIEW_ROWS}",
            dataset.name,
        )


def intake_of(settings: Settings, dataset: Dataset) -> Intake:
    """Return the result of the last intake of a dataset, from its stage.

    Raises:
        StorageError: there was none.
    """
    with opened(stage_path(settings, dataset.name)) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM input").fetchall()
        held = dict(connection.execute("SELECT outcome, count(*) FROM verdicts GROUP BY 1").fetchall())
        files = connection.execute("SELECT path FROM files ORDER BY file").fetchall()
        reasons = held_reasons(connection)
    known = rows - sum(held.values())
    return Intake(
        dataset=dataset.name,
        files=tuple(Path(path) for (path,) in files),
        rows_in=rows,
        quarantined=held.get(Outcome.QUARANTINED, 0),
        duplicate=held.get(Outcome.DUPLICATE, 0),
        parked=held.get(Outcome.PARKED, 0),
        known=known,
        reasons=reasons,
    )


def rows_by_month(settings: Settings, name: str) -> dict[str, int]:
    """Return rows of the current input by month, such as 2026-10; "" for rows without a time."""
    with opened(stage_path(settings, name)) as connection:
        found = connection.execute(
            "SELECT coalesce(strftime(timestamp, '%Y-%m'), ''), count(*) FROM input GROUP BY 1 ORDER BY 1"
        ).fetchall()
    return dict(found)


def recorded_outcomes(settings: Settings, name: str) -> dict[str, int]:
    """Return rows of the current input by outcome, counted in imports.records."""
    with reading(settings.warehouse) as connection:
        found = connection.execute(
            "SELECT outcome, count(*) FROM imports.records WHERE in_input AND dataset = ? GROUP BY 1", [name]
        ).fetchall()
    return dict(found)


def noticed(settings: Settings, name: str) -> dict[str, int]:
    """Return rows that `push` counts in addition to outcomes.

    Returns:
        For the current input, rows that differ (not acknowledged) or conflict; and the number of all records.
    """
    with reading(settings.warehouse) as connection:
        ((differs, conflicts, recorded),) = connection.execute(
            "SELECT count(*) FILTER (in_input AND differs AND NOT coalesce(differs_acknowledged, false)),"
            " count(*) FILTER (in_input AND code = ?), count(*) FROM imports.records WHERE dataset = ?",
            [CONFLICT, name],
        ).fetchall()
    return {"differs": differs, "conflicts": conflicts, "recorded": recorded}


def left_out(settings: Settings, name: str) -> dict[str, int]:
    """Return why rows of the current input were left out, with their numbers, the most frequent reasons first."""
    with reading(settings.warehouse) as connection:
        found = connection.execute(
            f"SELECT concat_ws(': ', outcome, code, {COMMON_REASON}) AS why, count(*) AS rows FROM imports.records "
            f"WHERE in_input AND dataset = ? AND outcome IN {sql_list(LEFT_OUT)} "
            # the texts of a code may differ from row to row
            "GROUP BY outcome, code, CASE WHEN code IS NULL THEN reason END "
            f"ORDER BY rows DESC, why LIMIT {MOST_REASONS}",
            [name],
        ).fetchall()
    return dict(found)


def differing(settings: Settings) -> dict[str, int]:
    """Return the findings of the last reconciliation, each with its number of contacts and measures."""
    with reading(settings.warehouse) as connection:
        found = connection.execute("SELECT finding, count(*) FROM imports.differences GROUP BY 1").fetchall()
    return dict(found)


def revenue_sums(settings: Settings) -> tuple[Decimal | None, Decimal]:
    """Return the sum of revenue derived from contacts (None if it comes from events), and the contacts' total."""
    with reading(settings.warehouse) as connection:
        ((events, derived, total),) = connection.execute(
            "SELECT (SELECT count(*) FROM revenue WHERE source <> ?), "
            "(SELECT coalesce(sum(revenue), 0) FROM revenue WHERE source = ?), "
            "(SELECT coalesce(sum(revenue_total), 0) FROM contacts)",
            [FROM_CONTACTS, FROM_CONTACTS],
        ).fetchall()
    return None if events and not derived else derived, total


def event_rows(settings: Settings) -> int:
    """Return the number of published webhook events; 0 without a warehouse."""
    if not is_there(settings.warehouse):
        return 0
    with reading(settings.warehouse) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'main' AND table_name = ?",
            [WEBHOOK_EVENTS.name],
        ).fetchall()
        if tables == [(0,)]:
            return 0
        ((rows,),) = connection.execute(f"SELECT count(*) FROM {WEBHOOK_EVENTS.name}").fetchall()
    return int(rows)


def view_rows(settings: Settings, names: Sequence[str], most: int = _MOST_COUNTED) -> dict[str, int | None]:
    """Return the number of rows of existing views; None for each if counting would take long.

    Args:
        settings: where the warehouse is.
        names: of views, with their schema unless it is main.
        most: most rows of all tables for which views are counted.
    """
    if not is_there(settings.warehouse):
        return {}
    with reading(settings.warehouse) as connection:
        views = connection.execute(
            "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        there = {view if schema == "main" else f"{schema}.{view}" for schema, view in views}
        found = [name for name in names if name in there]
        sizes = "SELECT coalesce(sum(estimated_size), 0) FROM duckdb_tables()"
        ((rows,),) = connection.execute(sizes).fetchall()
        if rows > most:
            return dict.fromkeys(found)
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in found}


def _reasons(quarantine: Path) -> dict[str, int]:
    with pq.ParquetFile(quarantine) as file:
        batches = file.iter_batches(_BATCH_ROWS, columns=["reason"])
        found = Counter(str(reason) for batch in batches for reason in batch["reason"].to_pylist())
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
