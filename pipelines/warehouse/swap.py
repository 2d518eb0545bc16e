"""One writer, many readers: how `warehouse.duckdb` is replaced in one step, and how it is read.

DuckDB lets one process write a file while no other has it open. So nobody ever writes to the file that
readers open: a writer makes a copy beside it, changes the copy, and puts it in place by `os.replace`. A process that
has the old file open keeps all of the old one. What does not belong here: what the tables are.
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
"""How long it waits before it says so."""

_log = logging.getLogger(__name__)


@contextmanager
def replacing(
    warehouse: Path, memory: str = duckdb_memory.WAREHOUSE, threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a private copy of the warehouse, which takes its place when the block ends well.

    If the block raises, the copy is thrown away and the warehouse stays as it was. Writers take turns.

    Args:
        warehouse: the file.
        memory: a limit of `duckdb_memory`.
        threads: see `duckdb_memory.limits`.

    Raises:
        BusyError: another writer held the lock for too long.
        StorageError: the disk refused, or the present file is no DuckDB file or of a newer program.
    """
    copy = warehouse.with_name(f".{warehouse.name}.building")
    with storage_errors("make the folder of", warehouse):
        private_folder(warehouse.parent)
    with _writer_lock(warehouse), storage_errors("build", warehouse):
        _discard(copy)  # what a killed writer left behind
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
    """Make in advance what only the first `replacing` needs, for a thread that would be idle.

    Raises:
        StorageError: the disk refused.
    """
    with storage_errors("build", warehouse):
        if not warehouse.exists():
            _blank()


@contextmanager
def reading(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection, closed at the end of the block.

    Hold it only as long as one consistent view is wanted: it shows the file that was there when the block began.

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
    """What is another after every change of the warehouse, to keep what was read of it."""
    found = warehouse.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def dicts(connection: duckdb.DuckDBPyConnection, query: str, *values: object) -> list[dict[str, Any]]:
    """The rows of a query, each with its columns by name.

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
    """Take the lock; who waits longer than a moment is told for what, since a stop may end in this.

    Args:
        lock: of the warehouse.
        warehouse: the file.
        seconds: how long to wait.

    Raises:
        Timeout: another process has held it for so long.
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
    """A connection to the copy; one that another storage version holds is written in ours first, table by table."""
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
