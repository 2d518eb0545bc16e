"""Reading an SQLite file by Python's own driver, for commands that answer at once.

SQLAlchemy takes longer to be imported than all that `status` does. Statements are texts that SQLAlchemy takes too, so
that each stands in one place, also for PostgreSQL. What does not belong here: writing (`database`), and statements.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from pipelines.errors import StorageError

BUSY_SECONDS = 30
_BEGIN = "sqlite:///"
_PRIMARY = 0xFF
"""The bits of a code of SQLite's that say what failed; those above say where."""

_NO_ROOM = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN)


class Ask(Protocol):
    """Runs a SELECT whose parameters are named, as in `:part`, and gives its rows."""

    def __call__(self, sql: str, **values: object) -> Sequence[Sequence[Any]]:
        """Run it."""


def plain_file(url: str) -> Path | None:
    """The file of an SQLAlchemy URL, if that is of SQLite and has nothing beside the path; None for all others."""
    path = url.removeprefix(_BEGIN)
    return None if path in (url, "", ":memory:") or "?" in path else Path(path)


@contextmanager
def asking(file: Path, remedy: str) -> Iterator[Ask]:
    """One view of a file that is there; all that is asked in the block sees the same.

    Args:
        file: the database.
        remedy: what to do where it cannot be read.

    Raises:
        StorageError: it cannot be read.
    """
    sort_beside(file)
    try:
        with closing(_view(file)) as connection:
            yield lambda sql, **values: connection.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"Cannot use {file}: {reason_of(error)}.", remedy) from error


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
