"""Takes over calls and rows of revenue into the ledger that another record knows.

What does not belong here: that record, and when it is believed (`pipelines.push.audit.adopt.adopt`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from pipelines.push.ledger.db.call_states import REVENUE, ChunkState
from pipelines.push.ledger.db.tables import ABSENT, CHUNKS, ROWS
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.outcomes import NO_READING, UNREAD, Outcome
from pipelines.runs.recording import now
from schemas.values.money import units

_AS_THEY_ARE = (
    "attempts",
    "http_status",
    "success_count",
    "error_count",
    "duplicates_skipped",
    "invalid_phones",
    "error",
)

_AS_SENT = ("content", "likeness", "contact", "list_ref")
"""Columns with what a row was sent with, as far as that is known."""

_MOVED = ("chunk", "tries", "outcome", "code", "message", "message_id", "amount", "content", "likeness")
"""Columns that are replaced if the ledger has the row from an earlier call."""

_FORGOTTEN = (
    "source", "amount_before", "count_before", "phone_amount_before", "phone_count_before",
    "absent_since", "settled_at",
)  # fmt: skip
"""Columns that are cleared in such a row, because they belong to the earlier call."""

_AT_ONCE = 500  # most parameters of one statement


class Unsure(NamedTuple):
    """A row that the ledger has in doubt or pending, and about which another record may know more.

    Attributes:
        identity: the row.
        chunk: its call.
        intended_at: when that call was meant to be sent; ISO 8601, UTC.
        is_in_doubt: whether it is in doubt; else it is pending.
    """

    identity: str
    chunk: int
    intended_at: str
    is_in_doubt: bool


def unsure(connection: sa.Connection, part: str) -> list[Unsure]:
    """Return the rows of a part that are in doubt or pending by an outcome of their own."""
    query = (
        sa.select(ROWS.c.identity, ROWS.c.chunk, CHUNKS.c.intended_at, ROWS.c.outcome == Outcome.IN_DOUBT)
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(
            ROWS.c.dataset == REVENUE,
            ROWS.c.outcome.in_((Outcome.IN_DOUBT, Outcome.PENDING)),
            CHUNKS.c.part == part,
        )
    )
    return [Unsure(who, chunk, at, bool(doubt)) for who, chunk, at, doubt in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Settled:
    """What another record knows about rows of calls that the ledger has.

    Attributes:
        rows: see `adopt_calls`, with the numbers that their calls have in the ledger.
        answers: by such a number, the call as in imports.chunks, if only that record has the answer.
    """

    rows: Sequence[Mapping[str, Any]]
    answers: Mapping[int, Mapping[str, Any]]


def adopt_calls(
    ledger: Ledger, calls: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], settled: Settled
) -> None:
    """Record calls under new numbers, and their rows, in one transaction that is on the disk afterwards.

    A row that the ledger has already becomes what is given here, because the ledger's knowledge is older.

    Args:
        ledger: an open ledger; the calls belong to its part of the input, and none of them is under way.
        calls: the calls, as in imports.chunks.
        rows: the rows of the calls, as in imports.records: identity, chunk, outcome, code, reason, attempt,
            message_id and revenue; with content, likeness, contact and list_ref as the ledger keeps them.
        settled: rows of calls that the ledger knows.
    """
    with ledger.begin(REVENUE) as connection:
        numbers = {call["chunk"]: _enter(connection, ledger.part, call) for call in calls}
        answered = {call["chunk"] for call in calls if call["state"] == ChunkState.ANSWERED}
        of_unknown = _take_rows(
            connection, [_row(row, numbers[row["chunk"]], row["chunk"] in answered) for row in rows]
        )
        _settle(connection, settled)
        if of_unknown:
            _leave_to_person(connection)
        _count_current(connection)


def _leave_to_person(connection: sa.Connection) -> None:
    """Leave rows that are in doubt to a person: no reading may settle them any more.

    The ledger has the totals of their contacts before the calls. But a contact's growth since then may come from rows
    that were taken over without a contact.
    """
    connection.execute(
        sa.update(ROWS)
        .where(ROWS.c.dataset == REVENUE, ROWS.c.outcome == Outcome.IN_DOUBT)
        .values(code=NO_READING, message=UNREAD)
    )


def _take_rows(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Record rows; rows that are there already keep their contact, and whether they are in the input.

    Returns:
        Whether a new row is in the account, or may be, and counts in an unknown contact.
    """
    there = _on_record(connection, [row["identity"] for row in rows])
    new, moved = ([row for row in rows if (row["identity"] in there) is known] for known in (False, True))
    if new:
        connection.execute(sa.insert(ROWS), new)
    if moved:
        _move(connection, moved)
    return any(
        row["contact"] is None and row["outcome"] not in (Outcome.REJECTED, Outcome.PENDING) for row in new
    )


def _move(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows of earlier calls into later ones."""
    given: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in _MOVED}
    connection.execute(
        sa.update(ROWS)
        .where(ROWS.c.dataset == REVENUE, ROWS.c.identity == sa.bindparam("who"))
        .values(**given, **dict.fromkeys(_FORGOTTEN)),
        [{"who": row["identity"], **{f"new_{name}": row[name] for name in _MOVED}} for row in rows],
    )


def _on_record(connection: sa.Connection, identities: Sequence[str]) -> set[str]:
    """Return those of the rows that the ledger has, of any call."""
    there: set[str] = set()
    for start in range(0, len(identities), _AT_ONCE):
        some = identities[start : start + _AT_ONCE]
        known = sa.select(ROWS.c.identity).where(ROWS.c.dataset == REVENUE, ROWS.c.identity.in_(some))
        there.update(connection.execute(known).scalars())
    return there


def _settle(connection: sa.Connection, settled: Settled) -> None:
    """Give rows of known calls the outcomes of another record, and the calls their answers."""
    at = now()
    for chunk, call in settled.answers.items():
        connection.execute(sa.update(CHUNKS).where(CHUNKS.c.chunk == chunk).values(**_answer(call)))
    if not settled.rows:
        return
    rows = [_row(row, row["chunk"], row["chunk"] in settled.answers) for row in settled.rows]
    connection.execute(
        sa.update(ROWS)
        .where(ROWS.c.dataset == REVENUE, ROWS.c.identity == sa.bindparam("who"))
        .values(
            outcome=sa.bindparam("what"),
            code=sa.bindparam("why"),
            message=sa.bindparam("words"),
            settled_at=sa.bindparam("at"),
        ),
        [
            {
                "who": row["identity"],
                "what": row["outcome"],
                "why": row["code"],
                "words": row["message"],
                "at": at if row["outcome"] else None,  # the row is settled now; when that happened is unknown
            }
            for row in rows
        ],
    )
    # the row is in the account and counted, so it cannot turn up later
    connection.execute(
        sa.update(ABSENT)
        .where(ABSENT.c.identity == sa.bindparam("who"), ABSENT.c.chunk == sa.bindparam("call"))
        .values(watched=False),
        [{"who": row["identity"], "call": row["chunk"]} for row in rows],
    )


def _count_current(connection: sa.Connection) -> None:
    """Set for each call of revenue how many rows of the current input take their outcome from it."""
    plain = sa.select(ROWS.c.chunk, sa.func.count()).where(
        ROWS.c.dataset == REVENUE, ROWS.c.outcome.is_(None), ROWS.c.current
    )
    found = connection.execute(plain.group_by(ROWS.c.chunk))
    counted = {chunk: int(rows) for chunk, rows in found}
    known = sa.select(CHUNKS.c.chunk, CHUNKS.c.current).where(CHUNKS.c.dataset == REVENUE)
    changed = [
        {"which": chunk, "rows_now": counted.get(chunk, 0)}
        for chunk, rows in connection.execute(known)
        if rows != counted.get(chunk, 0)
    ]
    if changed:
        connection.execute(
            sa.update(CHUNKS)
            .where(CHUNKS.c.chunk == sa.bindparam("which"))
            .values(current=sa.bindparam("rows_now")),
            changed,
        )


def _enter(connection: sa.Connection, part: str, call: Mapping[str, Any]) -> int:
    is_answered = call["state"] == ChunkState.ANSWERED
    values = {
        "dataset": REVENUE,
        "part": part,
        "current": 0,
        "rows": call["rows"],
        "bytes": call["bytes"],
        "intended_at": _text(call["intended_at"]),
        "run": call.get("run"),  # missing in a warehouse of an earlier program
        **_answer(call),
        "state": ChunkState.ANSWERED if is_answered else ChunkState.LOST,
    }
    (number,) = connection.execute(sa.insert(CHUNKS), values).inserted_primary_key or (0,)
    return int(number)


def _answer(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of a call in the columns of push_chunks."""
    total = call["total_revenue"]
    return {
        "state": ChunkState.ANSWERED,
        "sent_at": _text(call["sent_at"]),
        "answered_at": _text(call["answered_at"] or call["intended_at"]),
        "total_revenue": None if total is None else units(total),
        **{name: call[name] for name in _AS_THEY_ARE},
    }


def _row(row: Mapping[str, Any], chunk: int, answered: bool) -> dict[str, Any]:
    plain = answered and row["outcome"] == Outcome.ACCEPTED and not row["code"]
    why = (NO_READING, UNREAD) if row["outcome"] == Outcome.IN_DOUBT else (row["code"], row["reason"])
    return {
        "dataset": REVENUE,
        "identity": row["identity"],
        "chunk": chunk,
        "tries": row["attempt"],
        "current": False,  # until an intake changes it
        "outcome": None if plain else row["outcome"],
        "code": why[0],
        "message": why[1],
        "message_id": row["message_id"],
        "amount": None if row["revenue"] is None else units(row["revenue"]),
        **{name: row.get(name) for name in _AS_SENT},
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()
