"""What failures of the ledger's database mean, one view of it, and the fast way to insert many rows.

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
    """Insert rows by one executemany of the driver: SQLAlchemy's own way costs as much again as the insert itself.

    Args:
        connection: within a transaction.
        table: where to.
        same: columns of which every row has the same value; ours, not the input's, since it becomes part of the SQL.
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
    """Let every read of a transaction see the same, whatever others write meanwhile; before its first statement."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    else:
        connection.exec_driver_sql("BEGIN")  # Python's driver leaves it out before a SELECT


def ask(connection: sa.Connection) -> Ask:
    """What runs the statements of `figures` within a transaction."""
    return lambda sql, **values: connection.execute(sa.text(sql), values).all()


@contextmanager
def ledger_errors(where: str) -> Iterator[None]:
    """Turn what the database or its disk does wrong into a StorageError.

    Raises:
        StorageError: it is full, read-only, locked, damaged, or cannot be reached.
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
