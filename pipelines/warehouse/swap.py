"""One writer, many readers: replaces `warehouse.duckdb` in one step, and opens it for reading.

In DuckDB, a process can write a file only while no other process has it open. So no process writes to the file that
readers open: a writer makes a copy in the same folder, changes the copy, and puts it in place with `os.replace`. A
process that has the old file open continues to see the complete old file. What does not belong here: the tables.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipelines.databases import duckdb_memory
from pipelines.databases.duckdb_instances import attached, beside
from pipelines.errors import BusyError, StorageError
from pipelines.storage import is_there, private_folder, storage_errors, sync_file, sync_folder
from pipelines.warehouse.structure.connection import NAME, STORAGE_VERSION, opened_for_writing
from pipelines.warehouse.structure.version import refuse_newer

if TYPE_CHECKING:
    from filelock import FileLock

WRITER_LOCK_SECONDS = 600.0
"""How long a second writer waits for the first before it gives up."""

_SILENT_SECONDS = 1.0
"""How long the second writer waits before it says so."""

_log = logging.getLogger(__name__)


@contextmanager
def replacing(
    warehouse: Path, memory: str = duckdb_memory.WAREHOUSE, threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to a private copy of the warehouse.

    The copy replaces it when the block ends without an error.

    If the block raises, the copy is deleted and the warehouse stays as it was. Writers wait for each other.

    Args:
        warehouse: the file.
        memory: a limit of `duckdb_memory`.
        threads: see `duckdb_memory.limits`.

    Raises:
        BusyError: another writer held the lock for too long.
        StorageError: the disk refused, or the present file is not a DuckDB file, or a newer program wrote it.
    """
    copy = warehouse.with_name(f".{warehouse.name}.building")
    with storage_errors("make the folder of", warehouse):
        private_folder(warehouse.parent)
    with _writer_lock(warehouse), storage_errors("build", warehouse):
        _discard(copy)  # a copy that a killed writer left
        try:
            if warehouse.exists():
                shutil.copyfile(warehouse, copy)
            else:
                copy.write_bytes(_blank())
            with _opened(copy, warehouse, memory, threads) as connection:
                refuse_newer(connection)
                yield connection
                connection.execute("CHECKPOINT")
            sync_file(copy)
            os.replace(copy, warehouse)  # noqa: PTH105 - the atomic step, by its own name
            sync_folder(warehouse.parent)
        finally:
            _discard(copy)


def prepare(warehouse: Path) -> None:
    """Prepare in advance what the first `replacing` needs, in a thread that would be idle.

    Raises:
        StorageError: the disk refused.
    """
    with storage_errors("build", warehouse):
        if not warehouse.exists():
            _blank()


@contextmanager
def reading(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a read-only connection, closed at the end of the block.

    Hold the connection only as long as you need one consistent view: it shows the file as of the beginning of the
    block.

    Raises:
        StorageError: there is no warehouse yet, or it cannot be read.
    """
    if not is_there(warehouse):
        raise StorageError(f"There is no warehouse at {warehouse} yet.", "Run: trackly-sync pull")
    with (
        storage_errors("read", warehouse),
        attached(warehouse, NAME, " (READ_ONLY)", {"temp_directory": f"{warehouse}.tmp"}) as connection,
    ):
        yield connection


def file_state(warehouse: Path) -> tuple[int, int, int]:
    """Return values that change with every change of the warehouse, as a key for caches."""
    found = warehouse.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def dicts(connection: duckdb.DuckDBPyConnection, query: str, *values: object) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries by column name.

    Args:
        connection: any.
        query: SQL.
        values: its parameters.
    """
    cursor = connection.execute(query, list(values))
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def _writer_lock(warehouse: Path, seconds: float = WRITER_LOCK_SECONDS) -> Iterator[None]:
    from filelock import FileLock, Timeout  # noqa: PLC0415 - with asyncio, which status does without

    lock = FileLock(warehouse.with_name(f".{warehouse.name}.lock"))
    try:
        with storage_errors("lock", warehouse):
            _acquire(lock, warehouse, seconds)
    except Timeout:
        raise BusyError(
            f"Another process has been writing {warehouse} for {seconds:.0f} seconds.",
            "Wait for it to end, then run the command again.",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: "FileLock", warehouse: Path, seconds: float) -> None:
    """Take the lock; after a second, log what is waited for, since a stopped command may end here.

    Args:
        lock: of the warehouse.
        warehouse: the file.
        seconds: how long to wait.

    Raises:
        Timeout: another process held the lock for too long.
    """
    from filelock import Timeout  # noqa: PLC0415 - as in `_writer_lock`

    silent = min(seconds, _SILENT_SECONDS)
    try:
        lock.acquire(timeout=silent)
    except Timeout:
        _log.warning(
            "Another process is writing %s: waiting up to %.0f seconds for it.",
            warehouse, seconds - silent, extra={"event": "wait"},
        )  # fmt: skip
        lock.acquire(timeout=seconds - silent)


def _blank() -> bytes:
    from pipelines.warehouse.structure.empty_warehouse import blank  # noqa: PLC0415 - those who read need not know the tables

    return blank()


@contextmanager
def _opened(
    copy: Path, warehouse: Path, memory: str, threads: int | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to the copy.

    A copy with another storage version is first rewritten in ours, table by table.
    """
    with opened_for_writing(copy, warehouse, memory, threads) as connection:
        if _is_of_ours(connection):
            yield connection
            return
    _discard(copy)
    with opened_for_writing(copy, warehouse, memory, threads) as connection:
        with beside(connection, warehouse, "before"):
            connection.execute(f"COPY FROM DATABASE before TO {NAME}")
        yield connection


def _is_of_ours(connection: duckdb.DuckDBPyConnection) -> bool:
    ((version,),) = connection.execute(
        "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()
    return str(version).startswith(STORAGE_VERSION)


def _discard(copy: Path) -> None:
    for leftover in (copy, copy.with_name(f"{copy.name}.wal")):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(copy.with_suffix(".spill"), ignore_errors=True)
