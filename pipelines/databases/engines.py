"""Engines that a process keeps for the next block that opens the same database.

An engine keeps the statements that it has compiled: to compile them again costs a small push a seventh of its
processor time. Every block has an engine for itself, and none holds a connection after it. What does not belong here:
how a database is opened (`pipelines.databases.sqlite_or_postgresql`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from queue import Empty, SimpleQueue

import sqlalchemy as sa

from pipelines.databases.sqlite_or_postgresql import open_engine, sqlite_file
from pipelines.databases.sqlite_reader import sort_beside

_MOST_IDLE = 4
"""How many engines wait at most: a ledger has two."""


@contextmanager
def engine_on(url: str, *, durable: bool) -> Iterator[sa.Engine]:
    """An engine on a database, without a connection at the end of the block.

    Args:
        url: of the database.
        durable: see `open_engine`.
    """
    engine = _taken(url, durable)
    try:
        yield engine
    finally:
        engine.dispose()
        _give_back(url, durable, engine)


def _taken(url: str, durable: bool) -> sa.Engine:
    """The engine that waits for this database, or a new one."""
    waiting = list(_all_idle())
    fitting = next((place for place, one in enumerate(waiting) if one[:2] == (url, durable)), None)
    engine = None if fitting is None else waiting.pop(fitting)[2]
    for one in waiting:
        _idle().put(one)
    if engine is None:
        return open_engine(url, durable=durable)
    if file := sqlite_file(url):
        sort_beside(file)
    return engine


def _all_idle() -> Iterator[tuple[str, bool, sa.Engine]]:
    """Those that wait, taken from all other threads."""
    while True:
        try:
            yield _idle().get_nowait()
        except Empty:
            return


def _give_back(url: str, durable: bool, engine: sa.Engine) -> None:
    idle = _idle()
    idle.put((url, durable, engine))
    while idle.qsize() > _MOST_IDLE:
        idle.get_nowait()


@cache
def _idle() -> SimpleQueue[tuple[str, bool, sa.Engine]]:
    return SimpleQueue()
