"""Revenue in doubt in the ledger: the rows of its contacts, the readings before and after, and settling it.

What does not belong here: deciding (`revenue.settle`), and reading contacts
(`pipelines.pull.derived.contact_totals`). Functions take a connection of `Ledger.begin("revenue")`, so that their
writes are on the disk when the block ends.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from pipelines.errors import DataError
from pipelines.push.ledger.db import row_outcome
from pipelines.push.ledger.db.call_states import REVENUE, ChunkState
from pipelines.push.ledger.db.tables import CHUNKS, READINGS, RESOLUTIONS, ROWS
from pipelines.push.ledger.queries.revenue.absent import UNDER_WAY, watch_resolved
from pipelines.push.ledger.statements import unsettled_contacts
from pipelines.push.ledger.totals_readings import Totals
from pipelines.push.outcomes import NO_ANSWER, NO_READING, RESOLVED, UNREAD, UNSETTLED, Outcome, Verdict
from pipelines.runs.recording import now, person


class SentRow(NamedTuple):
    """A row of revenue that was sent, in doubt or accepted, for a contact that has rows in doubt.

    Attributes:
        identity: the row.
        contact: the phone number of its send; None if it is unknown.
        list_ref: the list's id, or the id or number that the send has.
        amount: the amount in ten-thousandths of the account's currency.
        ours: whether it belongs to this part of the input.
        in_doubt: whether it is in doubt; else it is accepted. Rows of another part's call under way are in doubt,
            too.
        code: why it is in doubt.
        chunk: its call.
        intended_at: a moment before that call; ISO 8601, UTC, as all times here.
        ended_at: when its answer came, or waiting for it ended; UNDER_WAY if it has not ended.
        amount_before, count_before: the contact's totals at the reading; None if it did not find the contact.
        phone_amount_before, phone_count_before: the same over all contacts with the phone number.
        read_from, read_to: when that reading began and ended; None if there was none.
        complete: whether that reading saw every contact.
        sent_at: when the call was sent; if that is unknown, when it was meant to be sent.
        absent_since: when the first reading began that did not show the row, if the last one did not show it either.
        settled_at: when it was settled.
    """

    identity: str
    contact: str | None
    list_ref: str | None
    amount: int
    ours: bool
    in_doubt: bool
    code: str
    chunk: int
    intended_at: str
    ended_at: str
    amount_before: int | None
    count_before: int | None
    phone_amount_before: int | None
    phone_count_before: int | None
    read_from: str | None
    read_to: str | None
    complete: bool
    sent_at: str = ""
    absent_since: str | None = None
    settled_at: str | None = None

    @property
    def on_list_before(self) -> Totals | None:
        """The contact's totals at the reading."""
        if self.amount_before is None or self.count_before is None:
            return None
        return Totals(self.amount_before, self.count_before)

    @property
    def on_phone_before(self) -> Totals | None:
        """The totals of all contacts with its phone number, at the reading."""
        if self.phone_amount_before is None or self.phone_count_before is None:
            return None
        return Totals(self.phone_amount_before, self.phone_count_before)


def note_reading(connection: sa.Connection, started_at: str, finished_at: str, *, complete: bool) -> int:
    """Record a reading; return its number.

    Args:
        connection: a transaction.
        started_at: ISO 8601, UTC.
        finished_at: ISO 8601, UTC.
        complete: whether it saw every contact.
    """
    result = connection.execute(
        sa.insert(READINGS).values(started_at=started_at, finished_at=finished_at, complete=complete)
    )
    return int((result.inserted_primary_key or [0])[0])


def unsettled(connection: sa.Connection, part: str) -> int:
    """Return how many rows of a part are in doubt that a later reading may settle."""
    query = (
        sa.select(sa.func.count())
        .select_from(ROWS)
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(
            CHUNKS.c.part == part,
            ROWS.c.dataset == REVENUE,
            ROWS.c.outcome == Outcome.IN_DOUBT,
            ROWS.c.code.in_(UNSETTLED),
        )
    )
    return int(connection.execute(query).scalar_one())


def contacts_unsettled(connection: sa.Connection, part: str) -> list[str]:
    """Return the contacts of those rows."""
    return [contact for (contact,) in connection.execute(unsettled_contacts(part).distinct())]


def doubtful(connection: sa.Connection, part: str) -> list[SentRow]:
    """Return all sent revenue of contacts with rows in doubt, and rows in doubt whose contact is unknown."""
    doubt = sa.and_(ROWS.c.dataset == REVENUE, ROWS.c.outcome == Outcome.IN_DOUBT)
    contacts = sa.select(ROWS.c.contact).where(doubt, ROWS.c.contact.is_not(None))
    counts = sa.or_(row_outcome.ACCEPTED, row_outcome.UNDER_WAY)
    query = (
        sa.select(*(expression.label(name) for name, expression in _sent(part).items()))
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .outerjoin(READINGS, READINGS.c.reading == CHUNKS.c.reading)
        .where(
            ROWS.c.dataset == REVENUE,
            sa.or_(doubt, sa.and_(ROWS.c.contact.in_(contacts), counts)),
        )
    )
    return [SentRow(**row) for row in connection.execute(query).mappings()]


def _sent(part: str) -> dict[str, sa.ColumnElement[Any]]:
    """Return the fields of `SentRow`, each with its expression."""
    ended = sa.case(
        (CHUNKS.c.state == ChunkState.INTENDED, UNDER_WAY),
        else_=sa.func.coalesce(CHUNKS.c.answered_at, CHUNKS.c.intended_at),
    )
    return {
        "identity": ROWS.c.identity,
        "contact": ROWS.c.contact,
        "list_ref": ROWS.c.list_ref,
        "amount": sa.func.coalesce(ROWS.c.amount, 0),
        "ours": CHUNKS.c.part == part,
        "in_doubt": sa.or_(row_outcome.IN_DOUBT, row_outcome.UNDER_WAY),
        "code": sa.func.coalesce(ROWS.c.code, ""),
        "chunk": ROWS.c.chunk,
        "intended_at": CHUNKS.c.intended_at,
        "ended_at": ended,
        "amount_before": ROWS.c.amount_before,
        "count_before": ROWS.c.count_before,
        "phone_amount_before": ROWS.c.phone_amount_before,
        "phone_count_before": ROWS.c.phone_count_before,
        "read_from": READINGS.c.started_at,
        "read_to": READINGS.c.finished_at,
        "complete": sa.func.coalesce(READINGS.c.complete, False),
        "sent_at": sa.func.coalesce(CHUNKS.c.sent_at, CHUNKS.c.intended_at),
        "absent_since": ROWS.c.absent_since,
        "settled_at": ROWS.c.settled_at,
    }


class Doubtful(NamedTuple):
    """A row in doubt, as `resolve` lists it.

    Attributes:
        identity: the identity of the row.
        message_id: its send; "" if the ledger does not have it.
        amount: in units (see `schemas.values.money`); None if it was taken over from a warehouse without it.
        chunk: its call.
        sent_at: when that call was meant to be sent; ISO 8601, UTC.
        code: why it is in doubt.
        evidence: what is known about it.
        in_input: whether the current input has it, not quarantined.
    """

    identity: str
    message_id: str
    amount: int | None
    chunk: int
    sent_at: str
    code: str
    evidence: str
    in_input: bool


def doubts(connection: sa.Connection) -> list[Doubtful]:
    """Return the rows in doubt, oldest call first."""
    # taken over by an earlier version, with a code that says that the next push settles it
    unread = sa.and_(ROWS.c.code.in_(UNSETTLED), CHUNKS.c.reading.is_(None))
    query = (
        sa.select(
            ROWS.c.identity,
            sa.func.coalesce(ROWS.c.message_id, "").label("message_id"),
            ROWS.c.amount,
            ROWS.c.chunk,
            CHUNKS.c.intended_at.label("sent_at"),
            sa.case((unread, NO_READING), else_=sa.func.coalesce(ROWS.c.code, NO_ANSWER)).label("code"),
            sa.case((unread, UNREAD), else_=sa.func.coalesce(ROWS.c.message, "")).label("evidence"),
            ROWS.c.current.label("in_input"),
        )
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(ROWS.c.dataset == REVENUE, ROWS.c.outcome == Outcome.IN_DOUBT)
        .order_by(ROWS.c.chunk, ROWS.c.identity)
    )
    return [Doubtful(**row) for row in connection.execute(query).mappings()]


def settle(
    connection: sa.Connection,
    verdicts: Mapping[str, Verdict],
    read_from: str,
    unseen: Mapping[str, str],
) -> None:
    """Give rows in doubt the verdicts of a reading; rows that are not in doubt any more are left alone.

    Args:
        connection: a transaction.
        verdicts: by identity.
        read_from: when the reading began.
        unseen: since when readings have not shown a row; a row that is not in it was shown, or may have been.
    """
    if verdicts:
        connection.execute(
            sa.update(ROWS)
            .where(
                ROWS.c.dataset == REVENUE,
                ROWS.c.identity == sa.bindparam("who"),
                ROWS.c.outcome == Outcome.IN_DOUBT,
            )
            .values(
                outcome=sa.bindparam("what"),
                code=sa.bindparam("why"),
                message=sa.bindparam("words"),
                absent_since=sa.bindparam("since"),
                settled_at=sa.bindparam("at"),
            ),
            [
                {
                    "who": identity,
                    "what": verdict.outcome,
                    "why": verdict.code,
                    "words": verdict.message,
                    # for a row that is accepted, this shows how long the account took at least
                    "since": unseen.get(identity),
                    "at": None if verdict.outcome is Outcome.IN_DOUBT else read_from,
                }
                for identity, verdict in verdicts.items()
            ],
        )


def require_in_doubt(connection: sa.Connection, identities: Sequence[str]) -> None:
    """Raise unless a person can settle rows.

    Raises:
        DataError: one of them is not in doubt.
    """
    rows = sa.select(ROWS.c.identity).where(ROWS.c.dataset == REVENUE, ROWS.c.outcome == Outcome.IN_DOUBT)
    open_rows = set(connection.execute(rows).scalars())
    for identity in identities:
        if identity not in open_rows:
            raise DataError(
                f"Row {identity!r} is not in doubt; nothing was resolved.", "List them: trackly-sync resolve"
            )


def resolve(connection: sa.Connection, identities: Sequence[str], outcome: Outcome, reason: str) -> None:
    """Settle rows in doubt by a person's decision, and record it: row, outcome, reason, time and user.

    Call `require_in_doubt` first.

    Args:
        connection: a transaction.
        identities: the rows.
        outcome: accepted, pending or rejected.
        reason: the person's reason.
    """
    at = now()
    watch_resolved(connection, identities, outcome, at)
    for identity in identities:
        connection.execute(
            sa.update(ROWS)
            .where(ROWS.c.dataset == REVENUE, ROWS.c.identity == identity, ROWS.c.outcome == Outcome.IN_DOUBT)
            .values(outcome=outcome, code=RESOLVED, message=reason, settled_at=at)
        )
    note_resolutions(connection, identities, outcome, reason, at)


def note_resolutions(
    connection: sa.Connection,
    identities: Sequence[str],
    outcome: str,
    reason: str,
    at: str,
    dataset: str = REVENUE,
) -> None:
    """Record a person's decision about rows: reason, time and user.

    Args:
        connection: a transaction.
        identities: the rows.
        outcome: the decision, as in imports.resolutions.
        reason: the person's reason.
        at: the time; ISO 8601, UTC.
        dataset: the dataset of the rows.
    """
    by = person()
    connection.execute(
        sa.insert(RESOLUTIONS),
        [
            {
                "dataset": dataset,
                "identity": identity,
                "outcome": outcome,
                "reason": reason,
                "resolved_at": at,
                "resolved_by": by,
            }
            for identity in identities
        ],
    )


def resolutions(connection: sa.Connection) -> list[dict[str, object]]:
    """Return every decision about a row, oldest first, with the columns of push_resolutions."""
    found = connection.execute(sa.select(RESOLUTIONS).order_by(RESOLUTIONS.c.resolution))
    return [dict(row) for row in found.mappings()]
