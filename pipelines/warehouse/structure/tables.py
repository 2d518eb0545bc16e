"""The warehouse's tables by their declarations: made, replaced, and completed where they are older than those.

What does not belong here: what goes into them (`publish`, and `push` for the schema imports).
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
"""A checkpoint waits for the disk; the blocks of smaller tables are freed by the one at the end."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a warehouse that is being written, each of them there: what `complete` leaves.

    Attributes:
        connection: to the warehouse.
        as_declared: the names of those that have the columns and the comments that are declared, and no others.
        large: the names of those that were large before anything was written, so that their blocks are worth a
            checkpoint.
    """

    connection: duckdb.DuckDBPyConnection
    as_declared: frozenset[str]
    large: frozenset[str]

    def replace(self, table: str, dataset: Dataset, fields: Sequence[Field]) -> None:
        """Replace a table by an empty one, with its comments.

        A small one that is as declared is emptied instead, since the comments cost ten times as much as the table.

        Args:
            table: its qualified name.
            dataset: what it holds.
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
    """Make every table that is not there yet, and every column that an older version did not have.

    So queries and marts never miss one, whatever has been pulled and pushed so far.
    """
    # a first publish makes 27 tables and 400 comments; each by itself would wait for the disk
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
    # one that was made or completed is looked at again by the next publish
    as_declared = frozenset(name for name, one in found.items() if one == expected.get(name))
    return Tables(connection, as_declared, large)


def _add_columns(
    connection: duckdb.DuckDBPyConnection, table: str, dataset: Dataset, fields: Sequence[Field]
) -> None:
    """Those that are missing, and comments; whatever else is otherwise stays until the table is replaced."""
    there = {name for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall()}
    missing = [field for field in fields if field.name not in there]
    for field in missing:
        connection.execute(f'ALTER TABLE {table} ADD COLUMN "{field.name}" {TYPES[field.kind]}')
    for comment in comments(table, dataset, fields) if missing else ():
        connection.execute(comment)


def _found(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, Shown], frozenset[str]]:
    """What the catalog shows of each table, and which are large: to ask costs a millisecond, for all or for one."""
    ours = "FROM {}() WHERE database_name = current_database() AND NOT internal"
    name = "SELECT schema_name || '.' || table_name"
    tables = connection.execute(f"{name}, comment, estimated_size {ours.format('duckdb_tables')}").fetchall()
    found: dict[str, Shown] = {table: (comment, []) for table, comment, _ in tables}
    columns = f"{name}, {SHOWN} {ours.format('duckdb_columns')} ORDER BY column_index"
    for table, *column in connection.execute(columns).fetchall():
        if table in found:  # views have columns too
            found[table][1].append(tuple(column))
    return found, frozenset(table for table, _, rows in tables if rows >= _ROWS_WORTH_A_CHECKPOINT)


@cache
def _expected() -> dict[str, Shown]:
    """What the catalog shows of tables that are as declared; computed once, since a publish is soon done."""
    return {table: shown(dataset, fields) for table, dataset, fields in declared()}


def _create(
    connection: duckdb.DuckDBPyConnection, table: str, dataset: Dataset, fields: Sequence[Field]
) -> None:
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
