"""Reads an SQLite file with Python's own driver, for commands that must start fast.

Importing SQLAlchemy takes longer than all work of `status`. Statements are texts that SQLAlchemy accepts too, so that
each stands in one place, also for PostgreSQL. What does not belong here: writing (`engines`), and statements.
"""

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pipelines.errors import StorageError

BUSY_SECONDS = 30
_DAMAGED_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_OTHER_TABLES = re.compile(
    r"no such (table|column)|duplicate column name|(table|index) \S+ (has no column|already exists)"
)
"""The beginning of SQLite's error if a table or a column is missing, or exists already."""
_OTHER_STATES = ("42P01", "42703", "42701", "42P07")
"""PostgreSQL's codes for the same: table missing, column missing, column exists, table exists."""


class Remedies(NamedTuple):
    """Remedies for problems of one of our databases.

    Attributes:
        unreachable: if the database cannot be reached, read or written.
        damaged: if it is damaged, or not our database.
    """

    unreachable: str
    damaged: str


_PRIMARY = 0xFF
"""The bits of an SQLite error code that name the kind of error; the higher bits are details."""

_NO_ROOM = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN)


class Ask(Protocol):
    """Runs a SELECT with named parameters, such as `:part`, and returns its rows."""

    def __call__(self, sql: str, **values: object) -> Sequence[Sequence[Any]]:
        """Run the SELECT and return its rows."""


@contextmanager
def asking(file: Path, remedies: Remedies) -> Iterator[Ask]:
    """Yield one consistent view of an existing file; all queries in the block see the same data.

    Args:
        file: the database.
        remedies: what to do if the file cannot be read.

    Raises:
        StorageError: it cannot be read.
    """
    sort_beside(file)
    try:
        with closing(_view(file)) as connection:
            yield lambda sql, **values: connection.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise unusable(str(file), error, remedies) from error


def unusable(where: str, error: BaseException | None, remedies: Remedies) -> StorageError:
    """Return the StorageError for a driver's error.

    Args:
        where: the database, as a person knows it.
        error: the driver's.
        remedies: what to do.
    """
    reason = reason_of(error)
    if is_damaged(error):
        return StorageError(
            f"{where} is damaged, or not what this program wrote: {reason}.", remedies.damaged
        )
    return StorageError(f"Cannot use {where}: {reason}.", remedies.unreachable)


def is_damaged(error: BaseException | None) -> bool:
    """Whether a driver's error concerns the database's contents, so that waiting does not help."""
    code = getattr(error, "sqlite_errorcode", None)  # the last byte of an extended code is the plain code
    return (
        (code is not None and code & 0xFF in _DAMAGED_CODES)
        or getattr(error, "sqlstate", None) in _OTHER_STATES
        or _OTHER_TABLES.match(str(error)) is not None
    )


def _view(file: Path) -> sqlite3.Connection:
    """Return a connection with a read transaction; on a full disk, one that writes no files.

    In WAL mode a reader writes a small file next to the database, to share it with others. A connection with an
    exclusive lock needs no such file, but waits for the others first.
    """
    try:
        return _begun(file, "NORMAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY not in _NO_ROOM:
            raise
        return _begun(file, "EXCLUSIVE")


def _begun(file: Path, locking: str) -> sqlite3.Connection:
    uri = f"{file.absolute().as_uri()}?mode=rw"  # a reader cleans up after a writer that was killed
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute(f"PRAGMA locking_mode = {locking}").close()
        connection.execute("PRAGMA query_only = 1")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def sort_beside(file: Path) -> None:
    """Let SQLite put temporary files next to the database, not in /tmp, where others may read them."""
    os.environ["SQLITE_TMPDIR"] = str(file.absolute().parent)


def reason_of(error: BaseException | None) -> str:
    """Return the driver's own text, as one line without a full stop."""
    return next(iter(str(error).splitlines()), "no reason given").rstrip(".")
