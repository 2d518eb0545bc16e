"""Errors of the ledger's database as our errors, one consistent view of it, and fast inserts of many rows.

What does not belong here: how a database is opened (`pipelines.databases.sqlite_or_postgresql`), tables and states
(`tables`, `ledger.ledger`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from pipelines.databases.sqlite_or_postgresql import database_errors
from pipelines.databases.sqlite_reader import Ask
from pipelines.errors import StorageError
from pipelines.push.ledger.db.call_states import REMEDIES
from schemas.derived.tables import literal


def insert_many(
    connection: sa.Connection,
    table: sa.Table,
    same: Mapping[str, str | int | bool],
    columns: Mapping[str, Sequence[Any]],
) -> None:
    """Insert rows by one executemany of the driver: SQLAlchemy's own way would double the cost of the insert.

    Args:
        connection: a connection within a transaction.
        table: the table.
        same: columns with one value for every row; the value becomes part of the SQL, so it must not come from the
            input.
        columns: the other columns, all of one length.
    """
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    values = [literal(value) if isinstance(value, str) else str(value).upper() for value in same.values()]
    marks = ", ".join([*values, *([mark] * len(columns))])
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({', '.join([*same, *columns])}) VALUES ({marks})",
        list(zip(*columns.values(), strict=True)),
    )


def one_view(connection: sa.Connection) -> None:
    """Give every read of a transaction the same view, whatever others write meanwhile; call it first of all."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    else:
        connection.exec_driver_sql("BEGIN")  # Python's driver does not begin a transaction before a SELECT


def ask(connection: sa.Connection) -> Ask:
    """Return a function that runs the statements of `figures` within a transaction."""
    return lambda sql, **values: connection.execute(sa.text(sql), values).all()


@contextmanager
def ledger_errors(where: str) -> Iterator[None]:
    """Turn errors of the database or its disk into a StorageError.

    Raises:
        StorageError: the database is full, read-only, locked, damaged, or cannot be reached.
    """
    try:
        with database_errors(where, REMEDIES):
            yield
    except StorageError as error:
        if isinstance(error.__cause__, sa.exc.IntegrityError):
            raise StorageError(
                f"A row is in the ledger ({where}) already: another push has taken it.", "Push again."
            ) from error.__cause__
        raise
