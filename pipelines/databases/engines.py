"""Keeps SQLAlchemy engines of a process for the next block that opens the same database.

An engine caches its compiled statements: compiling them again costs a small push a seventh of its processor time.
Every block has its own engine, which holds no connection after the block. What does not belong here: how a database
is opened (`pipelines.databases.sqlite_or_postgresql`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from queue import Empty, SimpleQueue
from typing import NamedTuple

import sqlalchemy as sa

from pipelines.databases.sqlite_or_postgresql import open_engine, sqlite_file
from pipelines.databases.sqlite_reader import sort_beside

_MOST_IDLE = 4
"""Most idle engines; a ledger uses two."""


@contextmanager
def engine_on(url: str, *, durable: bool) -> Iterator[sa.Engine]:
    """Yield an engine for a database; its connections are closed at the end of the block.

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
    """Return the idle engine for this database, or a new one."""
    waiting = list(_all_idle())
    fitting = next((one for one in waiting if one.url == url and one.durable == durable), None)
    for one in waiting:
        if one is not fitting:
            _idle().put(one)
    if fitting is None:
        return open_engine(url, durable=durable)
    if file := sqlite_file(url):
        sort_beside(file)
    return fitting.engine


class _Idle(NamedTuple):
    """An idle engine, and what it was opened with."""

    url: str
    durable: bool
    engine: sa.Engine


def _all_idle() -> Iterator[_Idle]:
    """Take all idle engines, so that no other thread can use them."""
    while True:
        try:
            yield _idle().get_nowait()
        except Empty:
            return


def _give_back(url: str, durable: bool, engine: sa.Engine) -> None:
    idle = _idle()
    idle.put(_Idle(url, durable, engine))
    while idle.qsize() > _MOST_IDLE:
        idle.get_nowait()


@cache
def _idle() -> SimpleQueue[_Idle]:
    return SimpleQueue()
