"""Reading an SQLite file by Python's own driver, for commands that answer at once.

SQLAlchemy takes longer to be imported than all that `status` does. Statements are texts that SQLAlchemy takes too, so
that each stands in one place, also for PostgreSQL. What does not belong here: writing (`engines`), and statements.
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
"""How SQLite begins where a table or a column is missing, or is there already when it is to be made."""
_OTHER_STATES = ("42P01", "42703", "42701", "42P07")
"""What PostgreSQL calls the same: a table and a column that are missing, a column and a table that are there."""


class Remedies(NamedTuple):
    """What to do about a database of ours.

    Attributes:
        unreachable: where it cannot be reached, read or written.
        damaged: where it is damaged, or somebody else's.
    """

    unreachable: str
    damaged: str


_PRIMARY = 0xFF
"""The bits of a code of SQLite's that say what failed; those above say where."""

_NO_ROOM = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN)


class Ask(Protocol):
    """Runs a SELECT whose parameters are named, as in `:part`, and gives its rows."""

    def __call__(self, sql: str, **values: object) -> Sequence[Sequence[Any]]:
        """Run it."""


@contextmanager
def asking(file: Path, remedies: Remedies) -> Iterator[Ask]:
    """One view of a file that is there; all that is asked in the block sees the same.

    Args:
        file: the database.
        remedies: what to do where it cannot be read.

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
    """What a driver's error means.

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
    """Whether a driver's error is of what is in the database, which waiting does not change."""
    code = getattr(error, "sqlite_errorcode", None)  # an extended code has the plain one in its last byte
    return (
        (code is not None and code & 0xFF in _DAMAGED_CODES)
        or getattr(error, "sqlstate", None) in _OTHER_STATES
        or _OTHER_TABLES.match(str(error)) is not None
    )


def _view(file: Path) -> sqlite3.Connection:
    """A connection that has begun to read; on a full disk one that needs no room.

    In WAL mode a reader writes a small file beside the database, by which it goes on beside others. Who keeps all
    others out needs none, and waits for them first.
    """
    try:
        return _begun(file, "NORMAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY not in _NO_ROOM:
            raise
        return _begun(file, "EXCLUSIVE")


def _begun(file: Path, locking: str) -> sqlite3.Connection:
    uri = f"{file.absolute().as_uri()}?mode=rw"  # what a writer that was killed left is cleared away by a reader
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
    """Have SQLite put what it sorts beside the file, not in /tmp, where others may read it."""
    os.environ["SQLITE_TMPDIR"] = str(file.absolute().parent)


def reason_of(error: BaseException | None) -> str:
    """The driver's own text, one line without a full stop."""
    return next(iter(str(error).splitlines()), "no reason given").rstrip(".")
