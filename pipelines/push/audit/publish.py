"""The push's books for analysts: schema imports of the warehouse (records, chunks, resolutions), in one swap.

What does not belong here: what the columns mean (`schemas.imports`), and how the file is replaced
(`pipelines.warehouse.swap`).
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.push.ledger.ledger import Ledger, existing_ledger
from pipelines.push.ledger.queries.in_doubt import resolutions
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import stage_path
from pipelines.settings import Settings
from pipelines.warehouse.marts import create_marts
from pipelines.warehouse.publish import publish_runs
from pipelines.warehouse.swap import replacing
from pipelines.warehouse.tables import complete, insert, replace_table
from schemas.columns import Dataset, Kind
from schemas.imports import CHUNKS, DIFFERENCES, RECORDS, RESOLUTIONS
from schemas.registry import PUSHED
from schemas.tables import literal

_MEMORY = "200MB"
"""DuckDB's share; it comes on top of what sending has left in use. With less, ten million rows cannot be joined."""

_KNOWN = {
    "identity": "VARCHAR",
    "chunk": "INTEGER",
    "outcome": f"ENUM ({', '.join(map(literal, Outcome))})",
    "current": "BOOLEAN",
    "tries": "INTEGER",
    "code": "VARCHAR",
    "message": "VARCHAR",
    "message_id": "VARCHAR",
}
"""What is published of the rows that the ledger knows, in types that are small: a join has to hold them all."""

_FACTS = ("happened_at", "list_id", "list_number", "offer_id", "revenue", "payout")
"""What imports.records tells of a row beside its outcome."""


def publish_imports(settings: Settings) -> None:
    """Rebuild the tables from the ledger and the stages; a batch at a time, so that memory stays flat.

    Raises:
        BusyError: another writer held the warehouse for too long.
        StorageError: the disk refused; the warehouse is as it was.
    """
    with existing_ledger(settings) as ledger, replacing(settings.warehouse) as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'; SET threads = 2")  # each takes a share of it
        complete(connection)
        _keep_facts(connection)
        for dataset in (CHUNKS, RECORDS, RESOLUTIONS):
            replace_table(connection, f"imports.{dataset.name}", dataset, dataset.fields)
        if ledger is not None:
            _fill(connection, CHUNKS, ledger.chunks())
            with ledger.begin() as transaction:
                _fill(connection, RESOLUTIONS, resolutions(transaction))
            for name in PUSHED:
                _records(connection, name, stage_path(settings, name), ledger)
        publish_runs(connection, settings.data_dir)
        create_marts(connection)


def publish_differences(settings: Settings, differences: pa.Table) -> None:
    """Replace imports.differences.

    Args:
        settings: where the warehouse lies.
        differences: the columns of `schemas.imports.DIFFERENCES`.

    Raises:
        BusyError, StorageError: as `publish_imports`.
    """
    with replacing(settings.warehouse) as connection:
        complete(connection)
        replace_table(connection, "imports.differences", DIFFERENCES, DIFFERENCES.fields)
        connection.register("incoming", differences)
        connection.execute("INSERT INTO imports.differences BY NAME FROM incoming")
        connection.unregister("incoming")
        publish_runs(connection, settings.data_dir)
        create_marts(connection)


def _keep_facts(connection: duckdb.DuckDBPyConnection) -> None:
    """Of rows that were sent, what only their file says: it may have left the input since."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE earlier AS SELECT dataset, identity, {', '.join(_FACTS)} "
        "FROM imports.records WHERE attempt > 0"
    )


def _fill(connection: duckdb.DuckDBPyConnection, dataset: Dataset, records: Sequence[dict[str, Any]]) -> None:
    """Rows of one of the ledger's small tables."""
    if not records:
        return
    names = ", ".join(dataset.columns)
    values = ", ".join(
        f"CAST({field.name} AS DECIMAL(38, 0)) / 10000" if field.kind is Kind.MONEY else field.name
        for field in dataset.fields
    )
    rows = pa.table({name: [record[name] for record in records] for name in dataset.columns})
    connection.register("incoming", rows)
    connection.execute(f"INSERT INTO imports.{dataset.name} ({names}) SELECT {values} FROM incoming")
    connection.unregister("incoming")


def _records(connection: duckdb.DuckDBPyConnection, name: str, stage: Path, ledger: Ledger) -> None:
    declared = ", ".join(f"{column} {kind}" for column, kind in _KNOWN.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE known ({declared})")
    for rows in ledger_rows(ledger, name, list(_KNOWN)):
        insert(connection, "known", rows)
    if stage.exists():
        connection.execute(f"ATTACH {literal(str(stage))} AS stage (READ_ONLY)")
        connection.execute(_from_stage(PUSHED[name], _columns_of_differing(connection)))
        connection.execute("DETACH stage")
    message = "known.identity" if name != "revenue" else "message_id"
    others = "NOT current" if stage.exists() else "true"
    connection.execute(
        "INSERT INTO imports.records BY NAME"
        f" SELECT '{name}' AS dataset, known.identity, {message} AS message_id, known.outcome,"
        " nullif(code, '') AS code, nullif(message, '') AS reason, known.chunk, tries AS attempt,"
        " coalesce(answered_at, intended_at) AS at, current AS in_input,"
        " false AS differs, false AS differs_acknowledged,"
        f" {', '.join(f'earlier.{fact}' for fact in _FACTS)}"
        " FROM known JOIN imports.chunks AS c ON c.chunk = known.chunk"
        f" LEFT JOIN earlier ON earlier.dataset = '{name}' AND earlier.identity = known.identity WHERE {others}"
    )
    connection.execute("DROP TABLE known")


def _columns_of_differing(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The columns of `differing` in the attached stage: an older program has fewer, or no such table."""
    there = (
        "SELECT column_name FROM duckdb_columns() WHERE database_name = 'stage' AND table_name = 'differing'"
    )
    return {str(name) for (name,) in connection.execute(there).fetchall()}


def _from_stage(dataset: Dataset, differing: Collection[str]) -> str:
    """Every row of the current input: its verdict, else what the ledger knows, else pending.

    Args:
        dataset: what the stage holds.
        differing: `_columns_of_differing`; a stage without that table has no codes, places and lines either.
    """
    code, places, line, differs = (
        ("v.code", "v.places", "i.line", "i.seq IN (SELECT seq FROM stage.differing)")
        if differing
        else ("NULL", "NULL", "NULL", "false")
    )
    seen = (
        "i.seq IN (SELECT seq FROM stage.differing WHERE acknowledged)"
        if "acknowledged" in differing
        else "false"
    )
    values = ", ".join(f"{literal(name)}: i.{name}" for name in dataset.columns)
    facts = "".join(f" i.{name}," for name in _FACTS if name in dataset.columns)
    message = "i.id" if dataset.name == "sends" else "i.message_id"
    identity = "CASE WHEN o.ordinal IS NULL THEN i.base ELSE i.base || ':' || o.ordinal END"
    return (
        "INSERT INTO imports.records BY NAME"
        f" SELECT '{dataset.name}' AS dataset, {identity} AS identity, {message} AS message_id,"
        f" coalesce(v.outcome, k.outcome, 'pending') AS outcome, coalesce({code}, nullif(w.code, '')) AS code,"
        f" coalesce(v.reason || coalesce(': ' || {places}, ''), nullif(w.message, '')) AS reason, k.chunk,"
        " coalesce(k.tries, 0) AS attempt, coalesce(c.answered_at, c.intended_at) AS at, true AS in_input,"
        f" {differs} AS differs, {seen} AS differs_acknowledged, f.path AS file, i.row, {line} AS line,"
        f" i.timestamp AS happened_at,{facts}"
        " CASE WHEN coalesce(v.outcome, k.outcome) IN ('quarantined', 'rejected')"
        f" THEN coalesce(i.raw, to_json({{{values}}})) END AS raw"
        " FROM stage.input AS i JOIN stage.files AS f USING (file)"
        " LEFT JOIN stage.verdicts AS v ON v.seq = i.seq LEFT JOIN stage.ordinals AS o ON o.seq = i.seq"
        f" LEFT JOIN known AS k ON v.outcome IS NULL AND k.identity = {identity}"
        # few rows have words of their own; with the others' nulls the join above would not fit in memory
        " LEFT JOIN (SELECT identity, code, message FROM known WHERE code <> '' OR message <> '') AS w"
        " ON w.identity = k.identity"
        " LEFT JOIN imports.chunks AS c ON c.chunk = k.chunk"
    )
