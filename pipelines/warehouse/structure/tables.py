"""The warehouse's tables by their declarations: made, replaced, and completed where they are older than those.

What does not belong here: what goes into them (`publish`, and `push` for the schema imports).
"""

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from pipelines.warehouse.history.views import take_over
from pipelines.warehouse.structure.version import stamp
from schemas.columns import Dataset, Field
from schemas.derived.tables import SHOWN, TYPES, comments, create_table, shown
from schemas.own_tables.campaigns import COUNTED
from schemas.own_tables.imports import CHUNKS, DIFFERENCES, RECORDS, RESOLUTIONS
from schemas.own_tables.pull_columns import BOOKKEEPING, QUARANTINED
from schemas.own_tables.revenue_readings import REVENUE_READINGS
from schemas.own_tables.sync import PAGES, RUNS, SNAPSHOTS
from schemas.own_tables.versions import BEGINNINGS, VERSIONED, ended, since
from schemas.registry import PULLED
from schemas.webhook_events import REJECTIONS, WEBHOOK_EVENTS, WEBHOOKS

_ROWS_WORTH_A_CHECKPOINT = 10_000
"""A checkpoint waits for the disk; the blocks of smaller tables are freed by the one at the end."""


def complete(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every table that is not there yet, and every column that an older version did not have.

    So queries and marts never miss one, whatever has been pulled and pushed so far.
    """
    # a first publish makes 27 tables and 400 comments; each by itself would wait for the disk
    connection.execute("BEGIN")
    for schema in ("quarantine", "sync", "imports"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    there: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    ).fetchall():
        there.setdefault(table, set()).add(column)
    for table, dataset, fields in declared():
        if table not in there:
            replace_table(connection, table, dataset, fields)
            continue
        missing = [field for field in fields if field.name not in there[table]]
        for field in missing:
            connection.execute(f'ALTER TABLE {table} ADD COLUMN "{field.name}" {TYPES[field.kind]}')
        for comment in comments(table, dataset, fields) if missing else ():
            connection.execute(comment)
    take_over(connection)
    stamp(connection)
    connection.execute("COMMIT")


def replace_table(
    connection: duckdb.DuckDBPyConnection, table: str, dataset: Dataset, fields: Sequence[Field]
) -> None:
    """Replace a table by an empty one, with its comments.

    A small one that is as declared is emptied instead, since the comments cost ten times as much as the table.

    Args:
        connection: of a warehouse.
        table: its qualified name.
        dataset: what it holds.
        fields: its columns.
    """
    where = "database_name = current_database() AND schema_name = ? AND table_name = ?"
    name = table.split(".")
    rows = f"SELECT estimated_size, comment FROM duckdb_tables() WHERE {where}"
    there = connection.execute(rows, name).fetchall()
    is_large = bool(there) and there[0][0] >= _ROWS_WORTH_A_CHECKPOINT
    if there and not is_large:
        columns = f"SELECT {SHOWN} FROM duckdb_columns() WHERE {where} ORDER BY column_index"
        if (there[0][1], connection.execute(columns, name).fetchall()) == shown(dataset, fields):
            connection.execute(f"TRUNCATE {table}")
            return
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    if is_large:
        connection.execute("CHECKPOINT")  # frees the old table's blocks for the new one
    connection.execute(create_table(table, fields))
    for comment in comments(table, dataset, fields):
        connection.execute(comment)


def declared() -> Iterator[tuple[str, Dataset, Sequence[Field]]]:
    """Every table: its qualified name, what it holds, and its columns."""
    for name, dataset in PULLED.items():
        yield f"main.{name}", dataset, (*dataset.fields, *BOOKKEEPING.fields)
        yield f"quarantine.{name}", QUARANTINED, QUARANTINED.fields
    yield "main.webhook_events", WEBHOOK_EVENTS, WEBHOOK_EVENTS.fields
    for dataset in VERSIONED.values():
        for declared, fields in (ended(dataset), since(dataset)):
            yield f"sync.{declared.name}", declared, fields
    for dataset in (SNAPSHOTS, PAGES, RUNS, BEGINNINGS, REVENUE_READINGS, WEBHOOKS, REJECTIONS, *COUNTED):
        yield f"sync.{dataset.name}", dataset, dataset.fields
    for dataset in (RECORDS, CHUNKS, RESOLUTIONS, DIFFERENCES):
        yield f"imports.{dataset.name}", dataset, dataset.fields


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table | pa.RecordBatch) -> None:
    """Append rows, their columns in the table's order.

    Args:
        connection: an open one.
        table: its name.
        rows: columns in the order of the table's.
    """
    if not rows.num_rows:
        return
    connection.register("incoming", rows)
    connection.execute(f"INSERT INTO {table} SELECT * FROM incoming")
    connection.unregister("incoming")
