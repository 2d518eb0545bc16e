"""Calls and rows of revenue that another record than the ledger knows, taken over into it.

What does not belong here: that record, and when it is believed (`pipelines.push.audit.lost_ledger.adopt`).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from pipelines.push.ledger.db.call_states import REVENUE, ChunkState
from pipelines.push.ledger.db.tables import CHUNKS, ROWS
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.outcomes import Outcome
from schemas.values.money import units

_AS_THEY_ARE = (
    "rows",
    "bytes",
    "attempts",
    "http_status",
    "success_count",
    "error_count",
    "duplicates_skipped",
    "invalid_phones",
    "error",
)


def adopt_calls(
    ledger: Ledger, calls: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Enter calls under new numbers, and their rows, in one transaction that is on the disk afterwards.

    A row that the ledger has already becomes what is given here: what the ledger knows is older.

    Args:
        ledger: an open one; the calls belong to its part of the input.
        calls: as imports.chunks has them.
        rows: those of the calls as imports.records has them: identity, chunk, outcome, code, reason, attempt,
            message_id and revenue.
    """
    with ledger.begin(REVENUE) as connection:
        numbers = {call["chunk"]: _enter(connection, ledger.part, call) for call in calls}
        answered = {call["chunk"] for call in calls if call["state"] == ChunkState.ANSWERED}
        identities = [{"who": row["identity"]} for row in rows]
        if not identities:
            return
        gone = sa.delete(ROWS).where(ROWS.c.dataset == REVENUE, ROWS.c.identity == sa.bindparam("who"))
        connection.execute(gone, identities)
        connection.execute(
            sa.insert(ROWS), [_row(row, numbers[row["chunk"]], row["chunk"] in answered) for row in rows]
        )


def _enter(connection: sa.Connection, part: str, call: Mapping[str, Any]) -> int:
    total = call["total_revenue"]
    values = {
        "dataset": REVENUE,
        "part": part,
        "state": ChunkState.ANSWERED if call["state"] == ChunkState.ANSWERED else ChunkState.LOST,
        "current": 0,
        "intended_at": _text(call["intended_at"]),
        "sent_at": _text(call["sent_at"]),
        "answered_at": _text(call["answered_at"] or call["intended_at"]),
        "total_revenue": None if total is None else units(total),
        **{name: call[name] for name in _AS_THEY_ARE},
    }
    (number,) = connection.execute(sa.insert(CHUNKS), values).inserted_primary_key or (0,)
    return int(number)


def _row(row: Mapping[str, Any], chunk: int, answered: bool) -> dict[str, Any]:
    plain = answered and row["outcome"] == Outcome.ACCEPTED and not row["code"]
    return {
        "dataset": REVENUE,
        "identity": row["identity"],
        "chunk": chunk,
        "tries": row["attempt"],
        "current": False,  # until the next intake says so
        "outcome": None if plain else row["outcome"],
        "code": row["code"],
        "message": row["reason"],
        "message_id": row["message_id"],
        "amount": None if row["revenue"] is None else units(row["revenue"]),
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()
