"""DuckDB instances that a process keeps for the next block that needs one.

To start an instance costs 20 ms of processor time, and a pull or a push needs a dozen; to attach a file to a running
one costs 2 ms. Every block has an instance and a connection for itself: nothing of a block is left when it ends, and
one that ends badly takes its instance with it. A fork finds none that waits: a forked process would have it without
its threads, and would wait for them for ever. What does not belong here: how much memory DuckDB may take
(`pipelines.databases.duckdb_memory`), and which files it opens (`warehouse`, `push.stage`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue

import duckdb

from pipelines.databases.duckdb_memory import Config
from pipelines.databases.duckdb_statements import parsing_once
from schemas.derived.tables import literal, quoted

_OPTIONS = ("memory_limit", "threads", "preserve_insertion_order")
"""What holds for a whole instance, so that it is set for every block, or goes back to its default."""

WITHOUT_LOG = "RECOVERY_MODE no_wal_writes"
"""An option of ATTACH for a file that nobody needs before its last checkpoint: no commit waits for the disk."""

_MOST_IDLE = 4
"""How many instances wait at most; a block in a block needs a second one."""


@contextmanager
def attached(
    path: Path | None, name: str, form: str = "", config: Config | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that uses one database, which is closed at the end of the block, as if the instance were its own.

    Args:
        path: the file; None for one in memory.
        name: of the catalog.
        form: options of ATTACH, in SQL.
        config: out of `memory_limit`, `temp_directory`, `threads`, `preserve_insertion_order`.

    Raises:
        duckdb.Error: the file cannot be opened.
    """
    given = config or {}
    instance = _taken(given)
    try:
        file = str(path) if path else ":memory:"
        instance.execute(f"ATTACH {literal(file)} AS {quoted(name)}{form}")
        with instance.cursor() as connection:
            connection.execute(f"USE {quoted(name)}")
            yield parsing_once(connection)
        instance.execute(f"DETACH {quoted(name)}")
    except BaseException:
        instance.close()
        raise
    _give_back(instance, given)


def _taken(config: Config) -> duckdb.DuckDBPyConnection:
    """An instance that waits, or a new one."""
    while True:
        try:
            instance = _idle().get_nowait()
        except Empty:
            break
        try:
            _configure(instance, config)
        except duckdb.Error:  # it has spilled into another folder, which it does not leave any more
            instance.close()
        else:
            return instance
    return parsing_once(duckdb.connect(":memory:", config=config))


def _configure(instance: duckdb.DuckDBPyConnection, config: Config) -> None:
    for option in _OPTIONS:
        value = config.get(option)
        instance.execute(f"RESET {option}" if value is None else f"SET {option} = {literal(str(value))}")
    folder = str(config.get("temp_directory", ""))
    instance.execute(f"SET temp_directory = {literal(folder)}" if folder else "RESET temp_directory")
    instance.execute("SET enable_external_file_cache = true")


def _give_back(instance: duckdb.DuckDBPyConnection, config: Config) -> None:
    """Keep an instance, without what it has read.

    One to which the block attached more, or that has spilled, ends: so its files are closed, and its folder removed.
    """
    with suppress(duckdb.Error):
        spilled = "temp_directory" in config and Path(str(config["temp_directory"])).exists()
        left = instance.execute("SELECT 1 FROM duckdb_databases() WHERE NOT internal").fetchall()
        if not spilled and len(left) == 1 and _idle().qsize() < _MOST_IDLE:
            instance.execute("SET enable_external_file_cache = false")
            _idle().put(instance)
            return
    instance.close()


@cache
def _idle() -> SimpleQueue[duckdb.DuckDBPyConnection]:
    return SimpleQueue()


def _close_idle() -> None:
    with suppress(Empty):
        while True:
            _idle().get_nowait().close()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_close_idle)
