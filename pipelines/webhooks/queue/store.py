"""The queue of events: every body that was answered with 2xx, in SQLite (WAL) or on the ledger's PostgreSQL.

Each body is there once, by its digest. Every change gets the next number of one counter, in the order of commits, so
that whoever has seen all up to a number need not look at them again. What does not belong here: what bodies say
(`events`), and when they are written (`writer`).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipelines.databases.sqlite_or_postgresql import database_errors, making, open_engine, sqlite_file
from pipelines.settings import Settings
from pipelines.webhooks.queue.state import NUMBERS, REMEDIES, VERSION, Received
from pipelines.webhooks.queue.tables import BODIES, REJECTIONS, STATE, upgrade, version_of

AS_IT_CAME, FILTERED, REDUCED = 0, 1, 2
"""Forms of a body: all of it, without phone numbers, or its fields alone after the raw body's time."""

REJECTIONS_KEPT = 10_000
_BATCH_BYTES = 4_000_000
_PAGES_OF_A_MB = 256
_PROBE = "probe"
_PROBE_BYTES = 2**16

_ADD = sa.text(
    "INSERT INTO webhook_bodies (digest, received_at, repeats, verified, form, body, change)"
    " VALUES (:digest, :at, 0, :verified, :form, :body, :change)"
    " ON CONFLICT (digest) DO UPDATE SET repeats = webhook_bodies.repeats + 1, repeated_at = excluded.received_at,"
    " verified = webhook_bodies.verified OR excluded.verified, change = excluded.change"
)
_COUNT = sa.text("UPDATE webhook_state SET number = number + :by WHERE name = :name")
_SET = sa.text("UPDATE webhook_state SET number = :number WHERE name = :name")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request whose body is to be kept.

    Attributes:
        digest: of the raw body.
        at: when it came, in microseconds since 1970.
        verified: whether its signature was right.
        form: AS_IT_CAME or FILTERED.
        body: in that form.
    """

    digest: str
    at: int
    verified: bool
    form: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Rejection:
    """A request that was refused for its signature: when, why (a name of the state), and the size of its body."""

    at: int
    reason: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A body in the queue; see `BODIES`."""

    digest: str
    received_at: int
    repeated_at: int | None
    repeats: int
    verified: bool
    form: int
    body: bytes
    change: int


class Store:
    """An open queue.

    Args:
        engine: on its database.
        where: how a person knows that.
    """

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self._engine, self._where = engine, where
        with self._begin() as connection:
            named = sa.select(STATE.c.text, STATE.c.number).where(STATE.c.name == "queue")
            self.id, self._made_at = connection.execute(named).one()

    def append(
        self, arrivals: Sequence[Arrival], rejections: Sequence[Rejection] = (), unstored: int = 0
    ) -> None:
        """Make bodies durable, all in one commit; they are when this returns.

        Args:
            arrivals: in the order in which they came.
            rejections: requests that were refused.
            unstored: how many bodies could not be stored before, and were not answered with 2xx.

        Raises:
            StorageError: nothing of it is stored.
        """
        with self._begin() as connection:
            last = self._next(connection, len(arrivals))
            if arrivals:
                first = last - len(arrivals) + 1
                rows = [
                    {
                        "digest": one.digest,
                        "at": one.at,
                        "verified": one.verified,
                        "form": one.form,
                        "body": one.body,
                        "change": first + place,
                    }
                    for place, one in enumerate(arrivals)
                ]
                connection.execute(_ADD, rows)
                connection.execute(_SET, {"name": "last_at", "number": arrivals[-1].at})
                connection.execute(_COUNT, {"name": "arrivals", "by": len(arrivals)})
            if unstored:
                connection.execute(_COUNT, {"name": "unstored", "by": unstored})
            self._reject(connection, rejections)

    def beat(self, *, serving: bool) -> None:
        """Put on record that a receiver is alive, or that it was stopped.

        Raises:
            StorageError: it cannot be written, and neither could an event.
        """
        with self._begin() as connection:
            connection.execute(_SET, {"name": "beat_at", "number": now()})
            connection.execute(_SET, {"name": "serving", "number": int(serving)})

    def probe(self) -> None:
        """Find out whether there is room for an event: as much is written, and then removed.

        Raises:
            StorageError: there is none.
        """
        mine = STATE.delete().where(STATE.c.name == _PROBE)
        with self._begin() as connection:
            connection.execute(mine)
            connection.execute(STATE.insert(), {"name": _PROBE, "number": 0, "text": "x" * _PROBE_BYTES})
        with self._begin() as connection:
            connection.execute(mine)

    def state(self) -> dict[str, int]:
        """What is counted, by name: `NUMBERS`."""
        with self._begin() as connection:
            rows = connection.execute(sa.select(STATE.c.name, STATE.c.number)).all()
        return {str(name): int(number) for name, number in rows if name in NUMBERS}

    def received(self) -> Received:
        """The same, for who looks from outside."""
        return Received.of({**self.state(), "queue": self._made_at})

    def batches(self, after: int, upto: int) -> Iterator[list[StoredBody]]:
        """Bodies by their last change, a few megabytes at a time.

        Args:
            after: changes up to this one are left out.
            upto: later changes are left out.
        """
        while batch := self._some(BODIES.c.change.between(after + 1, upto), BODIES.c.change):
            yield batch
            after = batch[-1].change

    def reduce(self, before: int, reduced: Callable[[StoredBody], bytes]) -> int:
        """Put the fields in place of raw bodies that first came before a time; returns how many there were.

        Args:
            before: in microseconds since 1970.
            reduced: makes the body that stays.
        """
        done = 0
        old = (BODIES.c.form < REDUCED) & (BODIES.c.received_at < before)
        while batch := self._some(old, BODIES.c.id):
            with self._begin() as connection:
                change = self._next(connection, len(batch)) - len(batch)
                for place, one in enumerate(batch, 1):
                    connection.execute(
                        BODIES.update()
                        .where(BODIES.c.digest == one.digest)
                        .values(form=REDUCED, body=reduced(one), change=change + place)
                    )
            done += len(batch)
        return done

    def rejections(self) -> list[Rejection]:
        """Those that are kept, oldest first."""
        with self._begin() as connection:
            found = sa.select(REJECTIONS.c.at, REJECTIONS.c.reason, REJECTIONS.c.size)
            return [Rejection(*row) for row in connection.execute(found.order_by(REJECTIONS.c.id))]

    def _some(self, wanted: sa.ColumnElement[bool], order: sa.Column[Any]) -> list[StoredBody]:
        columns = [BODIES.c[name] for name in StoredBody.__dataclass_fields__]
        found, size = [], 0
        with self._begin() as connection:
            rows = connection.execution_options(stream_results=True, max_row_buffer=16).execute(
                sa.select(*columns).where(wanted).order_by(order)
            )
            for row in rows:
                found.append(StoredBody(*row))
                size += len(found[-1].body) + 500
                if size > _BATCH_BYTES:
                    break
            rows.close()
        return found

    def _next(self, connection: sa.Connection, count: int) -> int:
        """The last of so many new numbers. Its lock makes writers take turns, so that commits have their order."""
        connection.execute(_COUNT, {"name": "change", "by": count})
        return int(connection.execute(sa.select(STATE.c.number).where(STATE.c.name == "change")).scalar_one())

    def _reject(self, connection: sa.Connection, rejections: Sequence[Rejection]) -> None:
        if not rejections:
            return
        rows = [{"at": one.at, "reason": one.reason, "size": one.size} for one in rejections]
        connection.execute(REJECTIONS.insert(), rows)
        last = sa.select(sa.func.max(REJECTIONS.c.id)).scalar_subquery()
        connection.execute(REJECTIONS.delete().where(REJECTIONS.c.id <= last - REJECTIONS_KEPT))
        for reason in {one.reason for one in rejections}:
            count = sum(one.reason == reason for one in rejections)
            connection.execute(_COUNT, {"name": reason, "by": count})

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        with database_errors(self._where, REMEDIES), self._engine.begin() as connection:
            yield connection


def now() -> int:
    """The time in microseconds since 1970."""
    return time.time_ns() // 1_000


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """The queue, made or brought up to date where it has to be.

    Raises:
        StorageError: the database cannot be used, or a newer program wrote it.
    """
    url = settings.webhook_store
    engine = _engine(settings)
    try:
        with database_errors(_where(url), REMEDIES):
            if _version(engine, sqlite_file(url)) != VERSION:
                with making(url, REMEDIES), engine.begin() as connection:
                    upgrade(connection, now())
        yield Store(engine, _where(url))
    finally:
        engine.dispose()


@contextmanager
def existing_store(settings: Settings) -> Iterator[Store | None]:
    """The queue as it is, for those who only look; None where no receiver has made one.

    Raises:
        SettingsError, StorageError: as `open_store`.
    """
    url = settings.webhook_store
    file = sqlite_file(url)
    if file is not None and not file.exists():
        yield None
        return
    engine = _engine(settings)
    try:
        with database_errors(_where(url), REMEDIES):
            found = _version(engine, file)
        yield None if found is None else Store(engine, _where(url))
    finally:
        engine.dispose()


def _engine(settings: Settings) -> sa.Engine:
    engine = open_engine(settings.webhook_store, durable=True)
    if engine.dialect.name == "sqlite":
        pragmas = ["secure_delete = ON"]  # a raw body whose time is over is overwritten
        if settings.webhook_queue_mb:
            pragmas.append(f"max_page_count = {settings.webhook_queue_mb * _PAGES_OF_A_MB}")

        def tune(connection: Any, _: object) -> None:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}").close()

        sa.event.listen(engine, "connect", tune)
    return engine


def _where(url: str) -> str:
    file = sqlite_file(url)
    return str(file) if file else "the database of TRACKLY_LEDGER_URL"


def _version(engine: sa.Engine, file: Path | None) -> int | None:
    if file is not None and not file.exists():
        return None
    with engine.connect() as connection:
        return version_of(connection)
