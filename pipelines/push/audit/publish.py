"""What analysts see of pushes: schema imports of the warehouse (records, chunks, resolutions), in one swap.

What does not belong here: what the columns mean (`schemas.own_tables.imports`), and how the file is replaced
(`pipelines.warehouse.swap`).
"""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.errors import TracklySyncError
from pipelines.privacy import Privacy
from pipelines.push.audit.archive import facts_of, published_facts, rows_of
from pipelines.push.audit.archive_files import archive_folder, archived
from pipelines.push.audit.lost_ledger.forgotten_sends import keep_forgotten, restore_forgotten
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.lock import push_lock
from pipelines.push.ledger.opening import existing_ledger
from pipelines.push.ledger.queries.revenue.in_doubt import resolutions
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import count, stage_path
from pipelines.push.stage.redact import is_put_away, kept_columns
from pipelines.settings import Settings
from pipelines.warehouse.publish import publish_runs
from pipelines.warehouse.published import has_table
from pipelines.warehouse.structure.tables import complete, insert, replace_table
from pipelines.warehouse.structure.views import create_views
from pipelines.warehouse.swap import reading, replacing
from pipelines.warehouse.webhook_events import take_events
from schemas.columns import Dataset, Kind
from schemas.derived.tables import literal
from schemas.own_tables.imports import CHUNKS, DIFFERENCES, FACTS, RECORDS, RESOLUTIONS
from schemas.registry import PUSHED
from schemas.values.money import sql_amount

_log = logging.getLogger(__name__)

_KNOWN = {
    "identity": "VARCHAR",
    "chunk": "INTEGER",
    "outcome": f"ENUM ({', '.join(map(literal, Outcome))})",
    "current": "BOOLEAN",
    "tries": "INTEGER",
    "code": "VARCHAR",
    "message": "VARCHAR",
    "message_id": "VARCHAR",
    "content": "BIGINT",
}
"""What is published of the rows that the ledger knows, in types that are small: a join has to hold them all."""

_SAME_CONTENT = "a.identity = known.identity AND a.content = known.content"
"""Whether a row of the archive, `a`, is what the ledger says was sent."""


def publish_imports(settings: Settings) -> None:
    """Rebuild the tables from the ledger and the stages; a batch at a time, so that memory stays flat.

    Raises:
        BusyError: another writer held the warehouse for too long.
        StorageError: the disk refused; the warehouse is as it was.
    """
    with existing_ledger(settings) as ledger, replacing(settings.warehouse) as connection:
        connection.execute("SET threads = 2")  # each takes a share of the memory
        complete(connection)
        privacy = Privacy.of(settings)
        privacy.define(connection)
        _keep_facts(connection, settings)
        is_forgotten = ledger is not None and keep_forgotten(connection, ledger)
        for dataset in (CHUNKS, RECORDS, RESOLUTIONS):
            replace_table(connection, f"imports.{dataset.name}", dataset, dataset.fields)
        if ledger is not None:
            _fill(connection, CHUNKS, ledger.chunks())
            with ledger.begin() as transaction:
                _fill(connection, RESOLUTIONS, resolutions(transaction))
            for name in PUSHED:
                _records(connection, name, settings, ledger)
            if is_forgotten:
                restore_forgotten(connection, privacy)
        publish_runs(connection, settings.data_dir)
        take_events(connection, settings)
        create_views(connection)


def publish_missing_imports(settings: Settings) -> None:
    """Fill the tables of a warehouse that was made again, where history was pushed before; for after a pull.

    A pull does not fail over it: what hinders is logged, and the next push publishes.

    Raises:
        StorageError: the warehouse cannot be read.
    """
    with reading(settings.warehouse) as connection:
        if not has_table(connection, "imports", "chunks") or count(
            connection, "SELECT count(*) FROM imports.chunks"
        ):
            return
    try:
        with existing_ledger(settings) as ledger:
            if ledger is None or not ledger.chunks():
                return
        with push_lock(settings.data_dir):
            publish_imports(settings)
    except TracklySyncError as error:
        _log.warning("The tables of pushed history stay empty until the next push: %s", error)


def publish_differences(settings: Settings, differences: pa.Table) -> None:
    """Replace imports.differences.

    Args:
        settings: where the warehouse lies.
        differences: the columns of `schemas.own_tables.imports.DIFFERENCES`.

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
        take_events(connection, settings)
        create_views(connection)


def _keep_facts(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Of rows that an earlier version sent, what only their file says: nothing of it is in the archive."""
    rows = " UNION ALL BY NAME ".join(
        f"SELECT dataset, identity, {_names('r')} FROM imports.records AS r"
        f" WHERE dataset = '{name}' AND attempt > 0"
        + (
            f" AND NOT EXISTS (SELECT 1 FROM {rows_of(files)} AS a WHERE a.identity = r.identity)"
            if files
            else ""
        )
        for name in PUSHED
        for files in (archived(archive_folder(settings, name)),)
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE earlier AS {rows}")


def _fill(connection: duckdb.DuckDBPyConnection, dataset: Dataset, records: Sequence[dict[str, Any]]) -> None:
    """Rows of one of the ledger's small tables."""
    if not records:
        return
    names = ", ".join(dataset.columns)
    values = ", ".join(
        sql_amount(field.name) if field.kind is Kind.MONEY else field.name for field in dataset.fields
    )
    rows = pa.table({name: [record[name] for record in records] for name in dataset.columns})
    connection.register("incoming", rows)
    connection.execute(f"INSERT INTO imports.{dataset.name} ({names}) SELECT {values} FROM incoming")
    connection.unregister("incoming")


def _records(connection: duckdb.DuckDBPyConnection, name: str, settings: Settings, ledger: Ledger) -> None:
    declared = ", ".join(f"{column} {kind}" for column, kind in _KNOWN.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE known ({declared})")
    for rows in ledger_rows(ledger, name, list(_KNOWN)):
        insert(connection, "known", rows)
    stage, privacy = stage_path(settings, name), Privacy.of(settings)
    if stage.exists():
        connection.execute(f"ATTACH {literal(str(stage))} AS stage (READ_ONLY)")
        differing, put_away = _columns_of_differing(connection), is_put_away(connection)
        connection.execute(_from_stage(PUSHED[name], privacy, differing, put_away))
        connection.execute("DETACH stage")
        _leave_published(connection, name)
    if count(connection, "SELECT count(*) FROM known"):
        _records_of_earlier_inputs(connection, name, archived(archive_folder(settings, name)), privacy)
    connection.execute("DROP TABLE known")


def _leave_published(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Take the rows out of `known` that are published with the current input.

    The ledger says which these are, but for one that knew another input: one that was restored, or one whose push
    was killed before its input was on record. Two sums tell, where a join would have to hold all of them.
    """
    published = f"FROM imports.records WHERE dataset = '{name}' AND chunk IS NOT NULL"
    sums = "SELECT count(*), sum(hash(identity))"
    if connection.execute(f"{sums} {published}").fetchone() != (
        connection.execute(f"{sums} FROM known WHERE current").fetchone()
    ):
        connection.execute("UPDATE known SET current = false")
        connection.execute(f"DELETE FROM known WHERE identity IN (SELECT identity {published})")
    connection.execute("DELETE FROM known WHERE current")


def _records_of_earlier_inputs(
    connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], privacy: Privacy
) -> None:
    """The rows of `known`, each with what its file has: by the archive, else by the warehouse before.

    Args:
        connection: to the warehouse, with the tables `known` and `earlier`.
        name: the dataset.
        files: its archive.
        privacy: what of it may be published.
    """
    message = "known.identity" if name != "revenue" else "known.message_id"
    record = (
        "INSERT INTO imports.records BY NAME"
        f" SELECT '{name}' AS dataset, known.identity, {message} AS message_id, known.outcome,"
        " nullif(code, '') AS code, nullif(known.message, '') AS reason, known.chunk, tries AS attempt,"
        " coalesce(answered_at, intended_at) AS at, current AS in_input, false AS differs,"
        " false AS differs_acknowledged, {facts}"
        " FROM {known} AS known JOIN imports.chunks AS c ON c.chunk = known.chunk"
    )
    if files:
        archived_rows = record.format(facts=published_facts("a", privacy), known="known")
        found = count(connection, f"{archived_rows} JOIN {rows_of(files)} AS a ON {_SAME_CONTENT}")
        if found == count(connection, "SELECT count(*) FROM known"):
            return
        _set_rest(connection, name, files)
    connection.execute(
        record.format(facts=published_facts("earlier", privacy), known="rest" if files else "known")
        + f" LEFT JOIN earlier ON earlier.dataset = '{name}' AND earlier.identity = known.identity"
    )


def _set_rest(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> None:
    """Make the table `rest`: the rows of `known` whose content is not in the archive.

    Rows that the ledger took over have no digest; of those the newest content is added to `earlier`.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE rest AS FROM known"
        f" WHERE NOT EXISTS (SELECT 1 FROM {rows_of(files)} AS a WHERE {_SAME_CONTENT})"
    )
    connection.execute(
        f"INSERT INTO earlier SELECT '{name}', identity, {_names('a')} FROM {rows_of(files)} AS a"
        " WHERE identity IN (SELECT identity FROM rest WHERE content IS NULL)"
        " QUALIFY row_number() OVER (PARTITION BY identity ORDER BY file DESC, content) = 1"
    )


def _names(table: str) -> str:
    return ", ".join(f"{table}.{field.name}" for field in FACTS)


def _columns_of_differing(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The columns of `differing` in the attached stage: an older program has fewer, or no such table."""
    there = (
        "SELECT column_name FROM duckdb_columns() WHERE database_name = 'stage' AND table_name = 'differing'"
    )
    return {str(name) for (name,) in connection.execute(there).fetchall()}


def _from_stage(dataset: Dataset, privacy: Privacy, differing: Collection[str], put_away: bool) -> str:
    """Every row of the current input: its verdict, else what the ledger knows, else pending.

    Args:
        dataset: what the stage holds.
        privacy: what of it may be published.
        differing: `_columns_of_differing`; a stage without that table has no codes, places and lines either.
        put_away: whether the stage holds no more than that; else it is still to be sent.
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
    kept = (
        "" if put_away or not privacy.key else f"REPLACE ({kept_columns(dataset, privacy, 'stage.verdicts')})"
    )
    message = "i.id" if dataset.name == "sends" else "i.message_id"
    identity = "CASE WHEN o.ordinal IS NULL THEN i.base ELSE i.base || ':' || o.ordinal END"
    return (
        "INSERT INTO imports.records BY NAME"
        f" SELECT '{dataset.name}' AS dataset, {identity} AS identity, {message} AS message_id,"
        f" coalesce(v.outcome, k.outcome, 'pending') AS outcome, coalesce({code}, nullif(w.code, '')) AS code,"
        f" coalesce(v.reason || coalesce(': ' || {places}, ''), nullif(w.message, '')) AS reason, k.chunk,"
        " coalesce(k.tries, 0) AS attempt, coalesce(c.answered_at, c.intended_at) AS at, true AS in_input,"
        f" {differs} AS differs, {seen} AS differs_acknowledged, f.path AS file, i.row, {line} AS line,"
        f" {facts_of(dataset, privacy, 'i')},"
        " CASE WHEN coalesce(v.outcome, k.outcome) IN ('quarantined', 'rejected')"
        f" THEN coalesce(i.raw, to_json({{{values}}})) END AS raw"
        f" FROM (SELECT * {kept} FROM stage.input) AS i JOIN stage.files AS f USING (file)"
        " LEFT JOIN stage.verdicts AS v ON v.seq = i.seq LEFT JOIN stage.ordinals AS o ON o.seq = i.seq"
        f" LEFT JOIN known AS k ON v.outcome IS NULL AND k.identity = {identity}"
        # few rows have a text of their own; with the others' nulls the join above would not fit in memory
        " LEFT JOIN (SELECT identity, code, message FROM known WHERE code <> '' OR message <> '') AS w"
        " ON w.identity = k.identity"
        " LEFT JOIN imports.chunks AS c ON c.chunk = k.chunk"
    )
