"""The queue of events: every body that was answered with 2xx, in SQLite (WAL) or on the ledger's PostgreSQL.

Each body is stored once, by its digest. Every change gets the next number of one counter, in the order of commits, so
that a reader who has seen all changes up to a number need not read them again. What does not belong here: the
contents of bodies (`events`), and when they are written (`writer`).
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
"""Forms of a body: complete, without phone numbers, or only its fields after the raw body's time."""

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
    """A request whose body is kept.

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
        engine: of its database.
        where: the database's name for people.
    """

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self._engine, self._where = engine, where
        with self._begin() as connection:
            named = sa.select(STATE.c.text, STATE.c.number).where(STATE.c.name == "queue")
            self.id, self._made_at = connection.execute(named).one()

    def append(
        self, arrivals: Sequence[Arrival], rejections: Sequence[Rejection] = (), unstored: int = 0
    ) -> None:
        """Store bodies durably in one commit.

        Args:
            arrivals: in the order of arrival.
            rejections: requests that were refused.
            unstored: how many bodies could not be stored before, and were not answered with 2xx.

        Raises:
            StorageError: nothing was stored.
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
        """Record that a receiver is alive, or that it was stopped.

        Raises:
            StorageError: this cannot be written, so an event could not either.
        """
        with self._begin() as connection:
            connection.execute(_SET, {"name": "beat_at", "number": now()})
            connection.execute(_SET, {"name": "serving", "number": int(serving)})

    def probe(self) -> None:
        """Check that there is space for an event, by writing and removing as much data.

        Raises:
            StorageError: there is no space.
        """
        mine = STATE.delete().where(STATE.c.name == _PROBE)
        with self._begin() as connection:
            connection.execute(mine)
            connection.execute(STATE.insert(), {"name": _PROBE, "number": 0, "text": "x" * _PROBE_BYTES})
        with self._begin() as connection:
            connection.execute(mine)

    def state(self) -> dict[str, int]:
        """Return the stored numbers by name: `NUMBERS`."""
        with self._begin() as connection:
            rows = connection.execute(sa.select(STATE.c.name, STATE.c.number)).all()
        return {str(name): int(number) for name, number in rows if name in NUMBERS}

    def received(self) -> Received:
        """Return the receiver's figures."""
        return Received.of({**self.state(), "queue": self._made_at})

    def batches(self, after: int, upto: int) -> Iterator[list[StoredBody]]:
        """Yield bodies by their last change, a few megabytes at a time.

        Args:
            after: skip changes up to this one.
            upto: skip later changes.
        """
        while batch := self._some(BODIES.c.change.between(after + 1, upto), BODIES.c.change):
            yield batch
            after = batch[-1].change

    def reduce(self, before: int, reduced: Callable[[StoredBody], bytes]) -> int:
        """Replace raw bodies that first came before a time by their fields; return their number.

        Args:
            before: in microseconds since 1970.
            reduced: makes the body that is kept.
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
        """Return the stored rejections, oldest first."""
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
        """Reserve numbers and return the last one.

        The lock makes writers wait, so that numbers follow the order of commits.
        """
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
    """Return the current time in microseconds since 1970."""
    return time.time_ns() // 1_000


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the queue, after making or upgrading it if needed.

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
    """Open the existing queue for reading; None if no receiver has made one.

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
        pragmas = ["secure_delete = ON"]  # overwrite deleted raw bodies
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
