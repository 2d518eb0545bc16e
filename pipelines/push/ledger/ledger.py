"""The ledger's verbs: they move a call and its rows from state to state, durably and in this order.

    intend ──▶ intended ─┬─ answer ─▶ answered   the answer is here; rows with an outcome of their own are named
                         ├─ lose ───▶ lost       it may have been carried out: revenue in_doubt, else pending
                         └─ refuse ─▶ refused    it was not carried out: pending
    recover                                      calls that a dead process left intended are lost

Every verb is one transaction; a move from a wrong state raises. What does not belong here: deciding what an answer
means for a row (`send.answers`), opening a ledger (`opening`), and the tables (`db.tables`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipelines.logs import run_id
from pipelines.push.ledger.db.call_states import REVENUE, ChunkState
from pipelines.push.ledger.db.engine import ask, ledger_errors, one_view
from pipelines.push.ledger.db.figures import Figures
from pipelines.push.ledger.db.tables import CHUNKS, INTAKES, ROWS
from pipelines.push.ledger.db.upgrade import upgrade
from pipelines.push.ledger.packed_rows import mark, pack, take_turns, unpack
from pipelines.push.ledger.statements import (
    Answered,
    InputChanges,
    LedgerRows,
    add,
    give,
    give_all,
    leave,
    move,
    renew,
)
from pipelines.push.outcomes import NO_ANSWER, NOT_SENT, RESOLVED, Outcome, Outcomes, Verdict
from pipelines.runs.recording import now

_AT_ONCE = 0.5
"""Seconds. If a call leaves this soon after its intent, the time of the intent counts as the time it was sent."""

_INTENT = sa.insert(CHUNKS)

_NOT_TOLD = Verdict(Outcome.IN_DOUBT, NO_ANSWER, "sent, and no usable answer came back")
_AGAIN = Verdict(Outcome.PENDING, NO_ANSWER, "sent, and no usable answer came back; it is sent again")


class Ledger:
    """An open ledger; see `opening`.

    Args:
        engine: for sends and clicks: the last second may be lost in a power cut, since sending them again is
            harmless.
        durable: for revenue: a transaction is on the disk before the call returns.
        where: the ledger's place, for messages.
        part: the part of the input whose calls the verbs are about; see `Settings.part`.
    """

    def __init__(self, engine: sa.Engine, durable: sa.Engine, where: str, part: str) -> None:
        self.part = part
        self._engine, self._durable, self._where = engine, durable, where

    @contextmanager
    def begin(self, dataset: str = "") -> Iterator[sa.Connection]:
        """Begin a transaction, durable for revenue; errors of the database become a StorageError."""
        engine = self._durable if dataset == REVENUE else self._engine
        with ledger_errors(self._where), engine.begin() as connection:
            yield connection

    def bring_up_to_date(self, url: str) -> None:
        """Create or upgrade the tables; see `upgrade`."""
        with ledger_errors(self._where):
            upgrade(self._durable, url)

    def take_in(self, dataset: str, rows_in: int, held: Mapping[str, int], changes: InputChanges) -> None:
        """Record the current input: its size, how many rows are held back, and which rows of the ledger it has.

        Args:
            dataset: sends, clicks or revenue.
            rows_in: rows of the input.
            held: by outcome, how many of them are not sent.
            changes: what changed since the input before.
        """
        row = {name: held.get(name, 0) for name in (Outcome.QUARANTINED, Outcome.DUPLICATE, Outcome.PARKED)}
        with self.begin() as connection:
            at = now()
            first = Figures(ask(connection), self.part).first_intake(dataset) or at
            connection.execute(sa.delete(INTAKES).where(*self._intake(dataset)))
            connection.execute(
                sa.insert(INTAKES).values(
                    dataset=dataset,
                    part=self.part,
                    rows_in=rows_in,
                    taken_in_at=at,
                    first_taken_in_at=first,
                    differs=changes.differs,
                    **row,
                )
            )
            unpack(connection, dataset, changes.chunks.keys() - changes.packs.keys())
            mark(connection, changes.packs)
            if changes.changed:
                connection.execute(
                    sa.update(ROWS)
                    .where(ROWS.c.dataset == dataset, ROWS.c.identity == sa.bindparam("who"))
                    .values(current=sa.bindparam("is_in")),
                    [{"who": identity, "is_in": is_in} for identity, is_in in changes.changed.items()],
                )
            if changes.chunks:
                connection.execute(
                    sa.update(CHUNKS)
                    .where(CHUNKS.c.chunk == sa.bindparam("which"))
                    .values(current=CHUNKS.c.current + sa.bindparam("more")),
                    [{"which": chunk, "more": more} for chunk, more in changes.chunks.items()],
                )

    @contextmanager
    def figures(self) -> Iterator[Figures]:
        """Yield the counts, calls and alarms in one consistent view, also during a push."""
        with self.begin() as connection:
            one_view(connection)
            yield Figures(ask(connection), self.part)

    def differing(self) -> dict[str, int]:
        """Return how many rows of the input differ from what was sent, by dataset; see `Figures`."""
        with self.figures() as figures:
            return figures.differing()

    def first_intake(self, dataset: str) -> str | None:
        """Return when input of a dataset was first taken in, ISO 8601, UTC; None if it never was."""
        with self.figures() as figures:
            return figures.first_intake(dataset)

    def _intake(self, dataset: str) -> tuple[sa.ColumnElement[bool], ...]:
        return INTAKES.c.dataset == dataset, INTAKES.c.part == self.part

    def last_chunk(self, dataset: str) -> int:
        """Return the number of the latest call of a dataset, of any part of the input; 0 if there was none."""
        with self.begin() as connection:
            latest = sa.select(sa.func.max(CHUNKS.c.chunk)).where(CHUNKS.c.dataset == dataset)
            return connection.execute(latest).scalar() or 0

    def intend(
        self,
        dataset: str,
        rows: LedgerRows,
        size: int,
        *,
        again: bool,
        reading: int | None = None,
        seen: int = 0,
    ) -> int:
        """Record an intent durably; the request may leave only after this.

        Args:
            dataset: the dataset.
            rows: its rows, in the order of the request.
            size: bytes of the request's body.
            again: whether the rows were in earlier intents and are pending again; else all of them are new.
            reading: for revenue, the number of the reading that the contacts' totals are of.
            seen: `last_chunk` before the rows were compared with the ledger; later chunks are searched for the rows.

        Returns:
            The chunk's number.

        Raises:
            DataError: with `again`, a row is not pending in the ledger.
            StorageError: without `again`, a row is in the ledger already; or the ledger cannot be written.
        """
        with self.begin(dataset) as connection:
            take_turns(connection, dataset)
            size_of = {"rows": len(rows.identity), "current": len(rows.identity), "bytes": size}
            result = connection.execute(
                _INTENT,
                {
                    "dataset": dataset,
                    "part": self.part,
                    "state": ChunkState.INTENDED,
                    "intended_at": now(),
                    "reading": reading,
                    "run": run_id.get(),
                    **size_of,
                },
            )
            chunk = int((result.inserted_primary_key or [0])[0])
            if again:
                move(connection, dataset, rows, chunk)
            elif dataset == REVENUE:
                add(connection, dataset, rows, chunk, current=True)
            else:
                pack(connection, dataset, rows, chunk, seen)
        return chunk

    def intended_at(self, chunk: int) -> str:
        """Return when a call was meant to be sent; ISO 8601, UTC."""
        with self.begin() as connection:
            at = connection.execute(
                sa.select(CHUNKS.c.intended_at).where(CHUNKS.c.chunk == chunk)
            ).scalar_one()
        return str(at)

    def note_sent(self, dataset: str, chunk: int, at: datetime) -> None:
        """Record when a call leaves, if that is later than its intent because the call waited for its turn.

        The age of a call without an answer counts from this time, so it must be on the disk before the call leaves.

        Args:
            dataset: sends, clicks or revenue.
            chunk: the call.
            at: the time, with a zone.
        """
        query = sa.select(CHUNKS.c.intended_at).where(CHUNKS.c.chunk == chunk)
        with self.begin(dataset) as connection:
            meant = connection.execute(query).scalar_one()
            if (at - datetime.fromisoformat(meant)).total_seconds() > _AT_ONCE:
                connection.execute(
                    sa.update(CHUNKS).where(CHUNKS.c.chunk == chunk).values(sent_at=at.isoformat())
                )

    def answer(
        self,
        dataset: str,
        chunk: int,
        answered: Answered,
        own: Mapping[str, Verdict],
        given: LedgerRows | None = None,
    ) -> None:
        """Record an answer; rows that are not in `own` are accepted.

        Args:
            dataset: sends, clicks or revenue.
            chunk: the call.
            answered: its figures.
            own: by identity, the verdicts of rows that are not simply accepted.
            given: the rows of a repeated call, if none of them had arrived before: the account has what they were
                sent with now.
        """
        values = {name: getattr(answered, name) for name in Answered.__slots__}
        with self.begin(dataset) as connection:
            leave(connection, chunk, ChunkState.ANSWERED, len(own), values)
            if own:
                unpack(connection, dataset, [chunk])
            give(connection, dataset, chunk, own)
            if given:
                renew(connection, dataset, given, chunk)

    def lose(self, dataset: str, chunk: int, error: str, sent_at: datetime | None = None) -> None:
        """Record that a call may or may not have been carried out: its rows are in_doubt (revenue) or pending.

        Args:
            dataset: the dataset.
            chunk: the call.
            error: what went wrong.
            sent_at: when the attempt was sent that may have been carried out.
        """
        values = {"error": error, "answered_at": now()}
        if sent_at:
            values["sent_at"] = sent_at.isoformat()
        with self.begin(dataset) as connection:
            leave(connection, chunk, ChunkState.LOST, None, values)
            unpack(connection, dataset, [chunk])
            give_all(connection, dataset, [chunk], _NOT_TOLD if dataset == REVENUE else _AGAIN)

    def refuse(self, dataset: str, chunk: int, error: str) -> None:
        """Record that a call was not carried out, for a reason other than its rows: they are pending again.

        Args:
            dataset: sends, clicks or revenue.
            chunk: the call.
            error: what went wrong, without personal data.
        """
        with self.begin(dataset) as connection:
            leave(connection, chunk, ChunkState.REFUSED, None, {"error": error})
            unpack(connection, dataset, [chunk])
            give_all(connection, dataset, [chunk], Verdict(Outcome.PENDING, NOT_SENT))

    def recover(self, dataset: str) -> int:
        """Record calls that a dead process left intended as lost. The caller must hold the push lock.

        Returns:
            The number of calls.
        """
        with self.begin(dataset) as connection:
            query = sa.select(CHUNKS.c.chunk).where(
                CHUNKS.c.dataset == dataset,
                CHUNKS.c.part == self.part,
                CHUNKS.c.state == ChunkState.INTENDED,
            )
            dead = [int(chunk) for chunk in connection.execute(query).scalars()]
            for chunk in dead:
                ended = {"error": "the push ended before the answer", "answered_at": now()}
                leave(connection, chunk, ChunkState.LOST, None, ended)
            if dead:
                unpack(connection, dataset, dead)
                give_all(connection, dataset, dead, _NOT_TOLD if dataset == REVENUE else _AGAIN)
        return len(dead)

    def reopen(self, dataset: str, identities: Sequence[str]) -> None:
        """Make those of these rows pending that the API rejected; not those that a person rejected."""
        if not identities:
            return
        with self.begin(dataset) as connection:
            connection.execute(
                sa.update(ROWS)
                .where(
                    ROWS.c.dataset == dataset,
                    ROWS.c.identity == sa.bindparam("who"),
                    ROWS.c.outcome == Outcome.REJECTED,
                    sa.func.coalesce(ROWS.c.code, "") != RESOLVED,
                    ROWS.c.chunk.in_(sa.select(CHUNKS.c.chunk).where(CHUNKS.c.part == self.part)),
                )
                .values(outcome=Outcome.PENDING, code="reopened", message=None, tries=0),
                [{"who": identity} for identity in identities],
            )

    def reject(self, dataset: str, identities: Sequence[str]) -> None:
        """Reject pending rows that were tried often enough, with the code and message that they have."""
        with self.begin(dataset) as connection:
            connection.execute(
                sa.update(ROWS)
                .where(
                    ROWS.c.dataset == dataset,
                    ROWS.c.identity == sa.bindparam("who"),
                    ROWS.c.outcome == Outcome.PENDING,
                )
                .values(outcome=Outcome.REJECTED),
                [{"who": identity} for identity in identities],
            )

    def chunks(self) -> list[dict[str, Any]]:
        """Return every call of this part, oldest first, with the columns of push_chunks."""
        with self.begin() as connection:
            ours = sa.select(CHUNKS).where(CHUNKS.c.part == self.part)
            found = connection.execute(ours.order_by(CHUNKS.c.chunk))
            return [dict(row) for row in found.mappings()]

    def outcomes(self) -> dict[str, Outcomes]:
        """Return the counts of each dataset that was ever taken in."""
        with self.figures() as figures:
            return figures.outcomes()
