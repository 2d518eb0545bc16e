"""The rows of revenue that are watched: they were called absent, or a person settled them.

If such a row turns up after all, that is an alarm; or a reading contradicts the person's decision.

What does not belong here: finding rows that turned up (`push.revenue.turned_up_late`), and reading alarms (`alarms`).
Functions take a connection of `Ledger.begin("revenue")`, so that their writes are on the disk when the block ends.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from pipelines.push.ledger.db import row_outcome
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.db.tables import ABSENT, ALARMS, CHUNKS, READINGS, ROWS
from pipelines.push.ledger.totals_readings import Found, Totals
from pipelines.push.outcomes import NO_ANSWER, UNSETTLED, Outcome, Verdict

UNDER_WAY = "~"
"""A text that sorts after any time: the end of a call that has not ended."""


class Entry(NamedTuple):
    """A row of a lost call that is watched, because it was called absent or settled by a person.

    Attributes:
        entry: the number of the entry.
        identity: the row.
        chunk: the lost call.
        contact: the phone number whose totals would count the row.
        list_ref: the list, as in push_rows.
        amount: the amount in ten-thousandths of the account's currency.
        sent_at: when the lost call was sent; ISO 8601, UTC, as all times here.
        read_from, read_to: the last reading that did not show the row; None if there was none yet.
        amount_then, count_then: the contact's totals at that reading; None if it did not find the contact.
        phone_amount_then, phone_count_then: the totals of all contacts with the phone number.
        outcome: how the row was settled, if it was not sent again since; None if it was.
    """

    entry: int
    identity: str
    chunk: int
    contact: str
    list_ref: str | None
    amount: int
    sent_at: str
    read_from: str | None
    read_to: str | None
    amount_then: int | None
    count_then: int | None
    phone_amount_then: int | None
    phone_count_then: int | None
    outcome: str | None

    @property
    def is_read_since(self) -> bool:
        """Whether that reading came after the call, so that it searched for the row."""
        return self.read_from is not None and self.read_from >= self.sent_at

    @property
    def on_list_then(self) -> Totals:
        """The contact's totals at that reading; zero if it did not find the contact."""
        return Totals(self.amount_then or 0, self.count_then or 0)

    @property
    def on_phone_then(self) -> Totals:
        """The totals of all contacts with its phone number."""
        return Totals(self.phone_amount_then or 0, self.phone_count_then or 0)


class Counted(NamedTuple):
    """A row of revenue that is in the account, or may be.

    Attributes:
        contact, list_ref, amount: as in `Entry`.
        accepted: whether it is accepted; else it is in doubt or its call is under way.
        intended_at: a moment before its call.
        ended_at: when the account had carried it out for certain: when it was settled, else when it was answered;
            UNDER_WAY if it is in doubt.
    """

    contact: str
    list_ref: str | None
    amount: int
    accepted: bool
    intended_at: str
    ended_at: str


NOT_SENT_AGAIN = "not sent again, so that nothing is there twice"
"""Why an alarm is closed from the start: it only shows how long a call to the account may take."""

_NOT_KNOWN = ""
"""Stands in place of an unknown contact."""

_AT_ONCE = 500  # most parameters of one statement

_LINES = [ABSENT.c[name] for name in Entry._fields if name != "outcome"]


def call_absent(
    connection: sa.Connection,
    rows: Sequence[Mapping[str, Any]],
    at: str,
    reading: tuple[str, str],
    found: Mapping[tuple[str | None, str | None], Found],
) -> None:
    """Record that a reading called rows of lost calls absent.

    Args:
        connection: a transaction.
        rows: identity, chunk, contact, list_ref, amount and sent_at of each row.
        at: the time of the decision.
        reading: when the reading began and ended.
        found: the totals of their contacts at that reading.
    """
    of_reading = {"read_from": reading[0], "read_to": reading[1]}
    _watch(
        connection,
        [{**row, **of_reading, **_then(found.get((row["contact"], row["list_ref"])))} for row in rows],
        at,
    )


def watch_resolved(connection: sa.Connection, identities: Sequence[str], outcome: Outcome, at: str) -> None:
    """Watch rows in doubt that a person is about to settle.

    If no reading has shown growth that may be the row, its contact is watched from the reading before its call: the
    call may have been carried out after the last reading, or never. Otherwise it is watched from the next reading,
    because the person may have taken growth until now for other revenue; but then a reading cannot show that the row
    is missing. If the row was taken over, its contact may be unknown (`name_contacts`).

    Args:
        connection: a transaction.
        identities: the rows.
        outcome: the person's decision.
        at: the time of the decision; ISO 8601, UTC.
    """
    was_there = sa.or_(
        ROWS.c.count_before.is_not(None), READINGS.c.complete
    )  # or is known not to have been there
    unseen = sa.and_(sa.func.coalesce(ROWS.c.code, NO_ANSWER).in_(UNSETTLED), was_there)
    before = {
        "read_from": READINGS.c.started_at,
        "read_to": READINGS.c.finished_at,
        "amount_then": ROWS.c.amount_before,
        "count_then": ROWS.c.count_before,
        "phone_amount_then": ROWS.c.phone_amount_before,
        "phone_count_then": ROWS.c.phone_count_before,
    }
    query = (
        sa.select(
            ROWS.c.identity,
            ROWS.c.chunk,
            sa.func.coalesce(ROWS.c.contact, _NOT_KNOWN).label("contact"),
            ROWS.c.list_ref,
            sa.func.coalesce(ROWS.c.amount, 0).label("amount"),
            sa.func.coalesce(CHUNKS.c.sent_at, CHUNKS.c.intended_at).label("sent_at"),
            *(sa.case((unseen, column)).label(name) for name, column in before.items()),
        )
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .outerjoin(READINGS, READINGS.c.reading == CHUNKS.c.reading)
        .where(
            ROWS.c.dataset == REVENUE,
            ROWS.c.identity.in_(sa.bindparam("these", expanding=True)),
            unseen if outcome is Outcome.ACCEPTED else sa.true(),
        )
    )
    for start in range(0, len(identities), _AT_ONCE):
        rows = connection.execute(query, {"these": list(identities[start : start + _AT_ONCE])}).mappings()
        _watch(connection, [dict(row) for row in rows], at)


def _watch(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], at: str) -> None:
    if rows:
        connection.execute(sa.insert(ABSENT), [{**row, "called_at": at, "watched": True} for row in rows])


def nameless(connection: sa.Connection) -> dict[int, str]:
    """Return the watched entries without a known contact: entry number and message of each."""
    query = (
        sa.select(ABSENT.c.entry, ROWS.c.message_id)
        .join(ROWS, sa.and_(ROWS.c.dataset == REVENUE, ROWS.c.identity == ABSENT.c.identity))
        .where(ABSENT.c.watched, ABSENT.c.contact == _NOT_KNOWN, ROWS.c.message_id.is_not(None))
    )
    return {int(row.entry): row.message_id for row in connection.execute(query)}


def name_contacts(connection: sa.Connection, contacts: Mapping[int, tuple[str, str | None]]) -> None:
    """Record the contacts of entries.

    Args:
        connection: a transaction.
        contacts: by the number of the entry, contact and list, as in push_rows.
    """
    for entry, (contact, list_ref) in contacts.items():
        connection.execute(
            sa.update(ABSENT).where(ABSENT.c.entry == entry).values(contact=contact, list_ref=list_ref)
        )


def watched(connection: sa.Connection) -> list[Entry]:
    """Return every row that is watched, of every part of the input."""
    query: sa.Select[Any] = (
        sa.select(*_LINES, sa.case((ROWS.c.chunk == ABSENT.c.chunk, ROWS.c.outcome)))
        .outerjoin(ROWS, sa.and_(ROWS.c.dataset == REVENUE, ROWS.c.identity == ABSENT.c.identity))
        .where(ABSENT.c.watched)
        .order_by(ABSENT.c.entry)
    )
    return [Entry(*row) for row in connection.execute(query)]


def counted(connection: sa.Connection) -> list[Counted]:
    """Return all revenue of the contacts of `watched` that is in the account or may be."""
    ended = sa.func.coalesce(ROWS.c.settled_at, CHUNKS.c.answered_at, CHUNKS.c.intended_at)
    query = (
        sa.select(
            ROWS.c.contact,
            ROWS.c.list_ref,
            sa.func.coalesce(ROWS.c.amount, 0),
            sa.case((row_outcome.ACCEPTED, 1), else_=0),
            CHUNKS.c.intended_at,
            sa.case((row_outcome.ACCEPTED, ended), else_=UNDER_WAY),
        )
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(
            ROWS.c.dataset == REVENUE,
            ROWS.c.contact.in_(sa.select(ABSENT.c.contact).where(ABSENT.c.watched)),
            sa.or_(row_outcome.ACCEPTED, row_outcome.IN_DOUBT, row_outcome.UNDER_WAY),
        )
    )
    return [
        Counted(contact, list_ref, amount, accepted=bool(accepted), intended_at=intended, ended_at=ended)
        for contact, list_ref, amount, accepted, intended, ended in connection.execute(query)
    ]


def keep_totals(
    connection: sa.Connection,
    entries: Sequence[Entry],
    reading: tuple[str, str],
    found: Mapping[tuple[str | None, str | None], Found],
) -> None:
    """Record the totals of entries' contacts at a reading that did not show the entries.

    Args:
        connection: a transaction.
        entries: the entries.
        reading: when the reading began and ended; ISO 8601, UTC.
        found: its totals, by contact and list.
    """
    if entries:
        names = ("amount_then", "count_then", "phone_amount_then", "phone_count_then")
        connection.execute(
            sa.update(ABSENT)
            .where(ABSENT.c.entry == sa.bindparam("which"), ABSENT.c.watched)
            .values(
                read_from=reading[0],
                read_to=reading[1],
                **{name: sa.bindparam(f"new_{name}") for name in names},
            ),
            [
                {
                    "which": one.entry,
                    **{f"new_{k}": v for k, v in _then(found.get((one.contact, one.list_ref))).items()},
                }
                for one in entries
            ],
        )


def retire(connection: sa.Connection, entries: Sequence[Entry]) -> None:
    """Stop watching entries."""
    if entries:
        connection.execute(
            sa.update(ABSENT).where(ABSENT.c.entry == sa.bindparam("which")).values(watched=False),
            [{"which": one.entry} for one in entries],
        )


def raise_alarm(
    connection: sa.Connection, entries: Sequence[Entry], at: str, seconds: float, settle_seconds: float
) -> int:
    """Record that entries turned up, as an alarm, which is open only if some of them were sent again.

    Args:
        connection: a transaction.
        entries: the entries, at least one.
        at: when this was noticed.
        seconds: the greatest age of their calls.
        settle_seconds: how long a call may take from now on.

    Returns:
        The alarm's number.
    """
    sent_again = sum(one.outcome is None for one in entries)
    result = connection.execute(
        sa.insert(ALARMS).values(
            dataset=REVENUE,
            raised_at=at,
            rows=len(entries),
            sent_again=sent_again,
            acknowledged_at=None if sent_again else at,
            reason=None if sent_again else NOT_SENT_AGAIN,
            contacts=len({one.contact for one in entries}),
            amount=sum(one.amount for one in entries),
            seconds=seconds,
            settle_seconds=settle_seconds,
        )
    )
    (number,) = result.inserted_primary_key or (0,)
    connection.execute(
        sa.update(ABSENT)
        .where(ABSENT.c.entry == sa.bindparam("which"))
        .values(alarm=int(number), watched=False),
        [{"which": one.entry} for one in entries],
    )
    return int(number)


def take_back(connection: sa.Connection, verdicts: Sequence[tuple[Entry, Verdict]], at: str) -> None:
    """Change the outcome of rows that were settled otherwise and not sent again.

    Args:
        connection: a transaction.
        verdicts: the entries, each with its verdict.
        at: when the reading began; ISO 8601, UTC.
    """
    for entry, verdict in verdicts:
        connection.execute(
            sa.update(ROWS)
            .where(
                ROWS.c.dataset == REVENUE,
                ROWS.c.identity == entry.identity,
                ROWS.c.chunk == entry.chunk,
                ROWS.c.outcome == entry.outcome,
            )
            .values(outcome=verdict.outcome, code=verdict.code, message=verdict.message, settled_at=at)
        )


def _then(found: Found | None) -> dict[str, int | None]:
    on_list, on_phone = (found.on_list, found.on_phone) if found else (None, None)
    return {
        "amount_then": on_list.amount if on_list else None,
        "count_then": on_list.conversions if on_list else None,
        "phone_amount_then": on_phone.amount if on_phone else None,
        "phone_count_then": on_phone.conversions if on_phone else None,
    }
