"""How a database that must outlive the process is opened, SQLite or PostgreSQL, and what its failures mean.

What does not belong here: tables, and what they are for (the push's ledger, the queue of webhook events).
"""

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock

from pipelines.databases.sqlite_reader import BUSY_SECONDS, Remedies, sort_beside, unusable
from pipelines.errors import StorageError
from pipelines.settings.checks import with_driver
from pipelines.storage import private_folder

_NAMED_USER = re.compile(r'(user|role) "[^"]*"')


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL; None for other databases."""
    found = sa.make_url(url)
    return Path(found.database or "") if found.get_backend_name() == "sqlite" else None


def open_engine(url: str, *, durable: bool) -> sa.Engine:
    """An engine on a database.

    With `durable`, a commit is on the disk when it returns (synchronous=FULL). Without, a power cut (not the end of
    a process) may take the last commits with it.

    Args:
        url: as the settings check it.
        durable: see above.
    """
    # what it would log and quote in errors is personal data
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    engine = sa.create_engine(with_driver(sa.make_url(url)), hide_parameters=True)
    if engine.dialect.name == "sqlite":
        if file := sqlite_file(url):
            sort_beside(file)
        sa.event.listen(engine, "connect", _tune_durable if durable else _tune)
        _share_compiled(engine)
    return engine


@contextmanager
def making(url: str, remedies: Remedies) -> Iterator[None]:
    """A block in which tables are made: for SQLite one process at a time, the file in WAL mode.

    The mode stays with the file. It is not for every connection to set: SQLite does not wait for its turn when
    it switches, so that a reader would fail beside a process that makes the file.

    Args:
        url: of the database.
        remedies: what to do where it cannot be made.

    Raises:
        StorageError: the file cannot be made.
    """
    file = sqlite_file(url)
    if file is None:
        yield
        return
    with database_errors(str(file), remedies):
        private_folder(file.parent)
        with FileLock(file.with_name(f".{file.name}.lock"), timeout=BUSY_SECONDS):
            try:
                with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
                    connection.execute("PRAGMA journal_mode = WAL").close()
            except sqlite3.Error as error:
                raise unusable(str(file), error, remedies) from error
            yield


@contextmanager
def database_errors(where: str, remedies: Remedies) -> Iterator[None]:
    """Turn what the database or its disk does wrong into a StorageError.

    Args:
        where: the database, as a person knows it.
        remedies: what to do about it.

    Raises:
        StorageError: it is full, read-only, locked, damaged, or cannot be reached.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"Cannot use {where}: {error.strerror or error}.", remedies.unreachable) from error
    except sa.exc.DBAPIError as error:
        # the driver's own text; SQLAlchemy's would add the statement and its parameters
        found = unusable(where, error.orig, remedies)
        found.message = _NAMED_USER.sub(r"\1 of TRACKLY_LEDGER_URL", found.message)
        raise found from error


def _share_compiled(engine: sa.Engine) -> None:
    """Have a statement compiled once for all databases of SQLite; a dialect is a part of the key it is kept by."""
    dialect, compiled = _compiled()
    if type(engine.dialect) is type(dialect):  # a URL may name another driver
        engine.dialect = dialect
        engine.update_execution_options(compiled_cache=compiled)


@cache
def _compiled() -> tuple[sa.Dialect, "sa.util.LRUCache[Any, Any]"]:
    """A dialect that has seen a connection, and what is compiled for it: as many statements as an engine keeps."""
    engine = sa.create_engine("sqlite://")
    with engine.connect():
        pass
    engine.dispose()
    return engine.dialect, sa.util.LRUCache(500)


def _tune(connection: sqlite3.Connection, _: object) -> None:
    for pragma in (
        f"busy_timeout = {BUSY_SECONDS * 1000}", "synchronous = NORMAL",
        "cache_size = -16384", "wal_autocheckpoint = 4000",
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}").close()


def _tune_durable(connection: sqlite3.Connection, _: object) -> None:
    _tune(connection, _)
    connection.execute("PRAGMA synchronous = FULL").close()
