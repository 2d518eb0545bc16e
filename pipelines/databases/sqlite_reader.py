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
    uri = f"{file.absolute().as_uri()}?mode=rw"  # what a writer that was killed left is cleared away by a reader
    try:
        with closing(
            sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        ) as connection:
            connection.execute("PRAGMA query_only = 1")
            connection.execute("BEGIN")
            yield lambda sql, **values: connection.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"Cannot use {file}: {reason_of(error)}.", remedy) from error


def sort_beside(file: Path) -> None:
    """Have SQLite put what it sorts beside the file, not in /tmp, where others may read it."""
    os.environ["SQLITE_TMPDIR"] = str(file.absolute().parent)


def reason_of(error: BaseException | None) -> str:
    """The driver's own text, one line without a full stop."""
    return next(iter(str(error).splitlines()), "no reason given").rstrip(".")
