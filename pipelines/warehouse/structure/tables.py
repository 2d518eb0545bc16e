"""Makes, replaces and completes the warehouse's tables by their declarations.

What does not belong here: the rows (`publish`, and `push` for the schema imports).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import duckdb
import pyarrow as pa

from pipelines.warehouse.history.views import take_over
from pipelines.warehouse.structure.version import stamp
from schemas.columns import Dataset, Field
from schemas.derived.tables import SHOWN, TYPES, Shown, comments, create_table, shown
from schemas.own_tables.campaigns import COUNTED
from schemas.own_tables.imports import CHUNKS, DIFFERENCES, RECORDS, RESOLUTIONS
from schemas.own_tables.pull_columns import BOOKKEEPING, QUARANTINED
from schemas.own_tables.revenue_readings import REVENUE_READINGS
from schemas.own_tables.sync import PAGES, RUNS, SNAPSHOTS
from schemas.own_tables.versions import BEGINNINGS, VERSIONED, ended, since
from schemas.registry import PULLED
from schemas.webhook_events import REJECTIONS, WEBHOOK_EVENTS, WEBHOOKS

_ROWS_WORTH_A_CHECKPOINT = 10_000
"""Rows from which a table gets its own checkpoint, which waits for the disk.

The last checkpoint frees the blocks of smaller tables.
"""


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables of a warehouse that is being written; `complete` returns this.

    Attributes:
        connection: to the warehouse.
        as_declared: names of the tables whose columns and comments are exactly as declared.
        large: names of the tables that were large before the write, so that freeing their blocks is worth a
            checkpoint.
    """

    connection: duckdb.DuckDBPyConnection
    as_declared: frozenset[str]
    large: frozenset[str]

    def replace(self, table: str, dataset: Dataset, fields: Sequence[Field]) -> None:
        """Replace a table by an empty one, with its comments.

        A small table that is as declared is emptied instead, since the comments cost ten times as much as the table.

        Args:
            table: its qualified name.
            dataset: the table's dataset.
            fields: its columns.
        """
        is_large = table in self.large
        if table in self.as_declared and not is_large:
            self.connection.execute(f"TRUNCATE {table}")
            return
        self.connection.execute(f"DROP TABLE {table}")
        if is_large:
            self.connection.execute("CHECKPOINT")  # frees the old table's blocks for the new one
        _create(self.connection, table, dataset, fields)


def complete(connection: duckdb.DuckDBPyConnection) -> Tables:
    """Make every missing table, and every column that an older version did not have.

    So queries and marts find every table, whatever was pulled and pushed so far.
    """
    # a first publish makes 27 tables and 400 comments; in transactions of their own, each would wait for the disk
    connection.execute("BEGIN")
    for schema in ("quarantine", "sync", "imports"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    (found, large), expected = _found(connection), _expected()
    for table, dataset, fields in declared():
        if table not in found:
            _create(connection, table, dataset, fields)
        elif found[table] != expected[table]:
            _add_columns(connection, table, dataset, fields)
    take_over(connection)
    stamp(connection, found)
    connection.execute("COMMIT")
    # the next publish checks a table again that was made or completed
    as_declared = frozenset(name for name, one in found.items() if one == expected.get(name))
    return Tables(connection, as_declared, large)


def _add_columns(
    connection: duckdb.DuckDBPyConnection, table: str, dataset: Dataset, fields: Sequence[Field]
) -> None:
    """Add missing columns, and comments; other differences stay until the table is replaced."""
    there = {name for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall()}
    missing = [field for field in fields if field.name not in there]
    for field in missing:
        connection.execute(f'ALTER TABLE {table} ADD COLUMN "{field.name}" {TYPES[field.kind]}')
    for comment in comments(table, dataset, fields) if missing else ():
        connection.execute(comment)


def _found(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, Shown], frozenset[str]]:
    """Return the catalog's entry of each table, and which are large; one query for all costs a millisecond."""
    ours = "FROM {}() WHERE database_name = current_database() AND NOT internal"
    name = "SELECT schema_name || '.' || table_name"
    tables = connection.execute(f"{name}, comment, estimated_size {ours.format('duckdb_tables')}").fetchall()
    found: dict[str, Shown] = {table: (comment, []) for table, comment, _ in tables}
    columns = f"{name}, {SHOWN} {ours.format('duckdb_columns')} ORDER BY column_index"
    for table, *column in connection.execute(columns).fetchall():
        if table in found:  # views have columns too, and are skipped
            found[table][1].append(tuple(column))
    return found, frozenset(table for table, _, rows in tables if rows >= _ROWS_WORTH_A_CHECKPOINT)


@cache
def _expected() -> dict[str, Shown]:
    """Return the catalog's entries of tables that are as declared; cached, since a publish should be fast."""
    return {table: shown(dataset, fields) for table, dataset, fields in declared()}


def _create(
    connection: duckdb.DuckDBPyConnection, table: str, dataset: Dataset, fields: Sequence[Field]
) -> None:
    connection.execute(create_table(table, fields))
    for comment in comments(table, dataset, fields):
        connection.execute(comment)


def declared() -> Iterator[tuple[str, Dataset, Sequence[Field]]]:
    """Yield every table: its qualified name, its dataset, and its columns."""
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
    """Append rows to a table.

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
