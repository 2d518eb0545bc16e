"""Opens a database that must outlive the process, SQLite or PostgreSQL, and interprets its failures.

What does not belong here: tables, and their use (the push's ledger, the queue of webhook events).
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
    """Return the file of an SQLite URL; None for other databases."""
    found = sa.make_url(url)
    return Path(found.database or "") if found.get_backend_name() == "sqlite" else None


def open_engine(url: str, *, durable: bool) -> sa.Engine:
    """Return an engine for a database.

    With `durable`, a commit is on the disk when it returns (synchronous=FULL). Without it, a power cut may lose the
    last commits; the end of a process may not.

    Args:
        url: checked by the settings.
        durable: see above.
    """
    # it would put personal data into logs and errors
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
    """Run a block that makes tables; for SQLite in one process at a time, with the file in WAL mode.

    The file keeps the mode. Connections do not set it each time: SQLite does not wait for a lock when it changes the
    mode, so a reader would fail while another process makes the file.

    Args:
        url: of the database.
        remedies: what to do if the file cannot be made.

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
    """Turn errors of the database or its disk into a StorageError.

    Args:
        where: the database's name for people.
        remedies: what to do.

    Raises:
        StorageError: the database is full, read-only, locked, damaged, or cannot be reached.
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
    """Share compiled statements between all SQLite databases; the dialect is a part of the cache key."""
    dialect, compiled = _compiled()
    if type(engine.dialect) is type(dialect):  # a URL may name another driver
        engine.dialect = dialect
        engine.update_execution_options(compiled_cache=compiled)


@cache
def _compiled() -> tuple[sa.Dialect, "sa.util.LRUCache[Any, Any]"]:
    """Return a dialect that has seen a connection, and a cache of statements as large as an engine's."""
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
