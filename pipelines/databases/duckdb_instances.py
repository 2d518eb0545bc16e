"""DuckDB instances that a process keeps for the next block that needs one.

To start an instance costs 20 ms of processor time, and a pull or a push needs a dozen; to attach a file to a running
one costs 2 ms, to configure it 3. Every block has an instance and a connection for itself: nothing of a block is left
when it ends, and one that ends badly takes its instance with it. A fork finds none that waits: a forked process would
have it without its threads, and would wait for them for ever. What does not belong here: how much memory DuckDB may
take (`pipelines.databases.duckdb_memory`), and which files it opens (`warehouse`, `push.stage`).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

import duckdb

from pipelines.databases.duckdb_memory import Config
from pipelines.databases.duckdb_statements import noting_settings, parsing_once
from schemas.derived.tables import literal, quoted

_OPTIONS = ("memory_limit", "threads", "preserve_insertion_order", "temp_directory")
"""What holds for a whole instance, so that each block has its own, or the default."""

WITHOUT_LOG = "RECOVERY_MODE no_wal_writes"
"""An option of ATTACH for a file that nobody needs before its last checkpoint: no commit waits for the disk."""

_MOST_IDLE = 4
"""How many instances wait at most; a block in a block needs a second one."""


class _Instance(NamedTuple):
    """An instance, and how it is configured."""

    connection: duckdb.DuckDBPyConnection
    config: Config


@contextmanager
def attached(
    path: Path | None, name: str, form: str = "", config: Config | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that uses one database, which is closed at the end of the block, as if the instance were its own.

    Its time zone is UTC.

    Args:
        path: the file; None for one in memory.
        name: of the catalog.
        form: options of ATTACH, in SQL.
        config: out of `memory_limit`, `temp_directory`, `threads`, `preserve_insertion_order`.

    Raises:
        duckdb.Error: the file cannot be opened.
    """
    instance = _taken(config or {})
    try:
        with beside(instance.connection, path, name, form), instance.connection.cursor() as connection:
            connection.execute(f"USE {quoted(name)}")
            used, settings = noting_settings(connection)
            yield used
    except BaseException:
        instance.connection.close()
        raise
    _give_back(instance, settings)


@contextmanager
def beside(
    connection: duckdb.DuckDBPyConnection, path: Path | None, name: str, form: str = " (READ_ONLY)"
) -> Iterator[None]:
    """A block in which a connection has another database as well.

    Args:
        connection: any.
        path: the file; None for one in memory.
        name: of the catalog.
        form: options of ATTACH, in SQL.

    Raises:
        duckdb.Error: the file cannot be opened.
    """
    connection.execute(f"ATTACH {literal(str(path or ':memory:'))} AS {quoted(name)}{form}")
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # the block's own error says more
            connection.execute(f"DETACH {quoted(name)}")
        raise
    connection.execute(f"DETACH {quoted(name)}")


def _taken(config: Config) -> _Instance:
    """The instance that waits and is configured most like that, or a new one.

    A change of the memory limit has DuckDB hand all that is free back to the system, which takes a millisecond.
    """
    limit = "memory_limit"
    waiting = sorted(
        _all_idle(), key=lambda one: (one.config.get(limit) != config.get(limit), one.config != config)
    )
    for one in waiting[1:]:
        _idle().put(one)
    if waiting:
        try:
            return _configured(waiting[0], config)
        except duckdb.Error:  # it has spilled into another folder, which it does not leave any more
            waiting[0].connection.close()
    connection = parsing_once(
        duckdb.connect(":memory:", config={**config, "enable_external_file_cache": False})
    )
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return _Instance(connection, config)


def _configured(instance: _Instance, config: Config) -> _Instance:
    connection, before = instance
    for option in _OPTIONS:
        if before.get(option) != config.get(option):
            _set(connection, option, config)
    return _Instance(connection, config)


def _set(connection: duckdb.DuckDBPyConnection, option: str, config: Config) -> None:
    value = config.get(option)
    connection.execute(f"RESET {option}" if value is None else f"SET {option} = {literal(str(value))}")


def _give_back(instance: _Instance, settings: Sequence[str]) -> None:
    """Keep an instance; one that has spilled ends, so that its folder is removed.

    Args:
        instance: without what the block attached.
        settings: statements by which the block changed settings.
    """
    connection, config = instance
    with suppress(duckdb.Error):
        spilled = "temp_directory" in config and Path(str(config["temp_directory"])).exists()
        if not spilled and _idle().qsize() < _MOST_IDLE:
            for option in _OPTIONS:
                if any(option in text for text in settings):
                    _set(connection, option, config)
            _idle().put(instance)
            return
    connection.close()


def _all_idle() -> Iterator[_Instance]:
    """Those that wait, taken from all other threads."""
    with suppress(Empty):
        while True:
            yield _idle().get_nowait()


@cache
def _idle() -> SimpleQueue[_Instance]:
    return SimpleQueue()


def _close_idle() -> None:
    for one in _all_idle():
        one.connection.close()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_close_idle)
