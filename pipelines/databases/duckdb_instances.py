"""Keeps DuckDB instances of a process for the next block that needs one.

Starting an instance costs 20 ms of processor time, and a pull or a push needs a dozen. Attaching a file to a running
instance costs 2 ms, configuring it 3 ms. Every block has its own instance and connection: a block leaves nothing
behind when it ends, and if it ends with an error, its instance is closed. A fork inherits no idle instance: the
forked process would have it without its threads, and would wait for them forever. What does not belong here: how much
memory DuckDB may take (`pipelines.databases.duckdb_memory`), and which files it opens (`warehouse`, `push.stage`).
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
"""Settings of a complete instance, which are set for each block, to its own value or the default."""

WITHOUT_LOG = "RECOVERY_MODE no_wal_writes"
"""An option of ATTACH for a file that is not needed before its last checkpoint: no commit waits for the disk."""

_MOST_IDLE = 4
"""Most idle instances; a block inside a block needs a second one."""


class _Instance(NamedTuple):
    """An instance and its configuration."""

    connection: duckdb.DuckDBPyConnection
    config: Config


@contextmanager
def attached(
    path: Path | None, name: str, form: str = "", config: Config | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that uses one database; both are closed at the end of the block.

    Its time zone is UTC.

    Args:
        path: the file; None for a database in memory.
        name: of the catalog.
        form: options of ATTACH, in SQL.
        config: values of `memory_limit`, `temp_directory`, `threads`, `preserve_insertion_order`.

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
    """Attach another database to a connection for a block.

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
        with suppress(duckdb.Error):  # the block's own error is more useful
            connection.execute(f"DETACH {quoted(name)}")
        raise
    connection.execute(f"DETACH {quoted(name)}")


def _taken(config: Config) -> _Instance:
    """Return the idle instance with the most similar configuration, or a new one.

    A change of the memory limit makes DuckDB return all free memory to the system, which takes a millisecond.
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
        except duckdb.Error:  # it has spilled into another folder, and cannot change it any more
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
    """Keep an instance for later; close it if it has spilled, so that its folder is removed.

    Args:
        instance: after the block's databases were detached.
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
    """Take all idle instances, so that no other thread can use them."""
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
