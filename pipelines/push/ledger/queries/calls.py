"""Calls in the ledger: the latest ones of a dataset, and how long calls took.

What does not belong here: what follows from it (`pipelines.push.send.calls.sizes`, `pipelines.push.revenue.waiting`).
"""

from datetime import datetime

import sqlalchemy as sa

from pipelines.push.ledger.db.call_states import REVENUE, ChunkState
from pipelines.push.ledger.db.tables import CHUNKS, ROWS
from pipelines.push.outcomes import SETTLED, Outcome

_MOST = 50
_FOR_AVERAGE = 200


def recent_calls(transaction: sa.Connection, dataset: str, part: str) -> list[tuple[int, float, bool]]:
    """Return the latest calls, oldest first: rows, duration in seconds (0 if unknown), and whether answered.

    Args:
        transaction: a transaction.
        dataset: sends, clicks or revenue.
        part: the part of the input.
    """
    query = (
        sa.select(CHUNKS.c.rows, CHUNKS.c.sent_at, CHUNKS.c.answered_at, CHUNKS.c.state)
        .where(
            CHUNKS.c.dataset == dataset,
            CHUNKS.c.part == part,
            CHUNKS.c.state.in_((ChunkState.ANSWERED, ChunkState.LOST)),
        )
        .order_by(CHUNKS.c.chunk.desc())
        .limit(_MOST)
    )
    calls = transaction.execute(query).all()[::-1]
    return [(rows, _seconds(sent, ended), state == ChunkState.ANSWERED) for rows, sent, ended, state in calls]


def call_seconds(transaction: sa.Connection, dataset: str) -> float | None:
    """Return the average seconds of the latest calls, from sending to the answer; None if there were none."""
    query = (
        sa.select(CHUNKS.c.sent_at, CHUNKS.c.answered_at)
        .where(
            CHUNKS.c.dataset == dataset,
            CHUNKS.c.state == ChunkState.ANSWERED,
            CHUNKS.c.sent_at.is_not(None),
        )
        .order_by(CHUNKS.c.chunk.desc())
        .limit(_FOR_AVERAGE)
    )
    lasted = [_seconds(sent, answered) for sent, answered in transaction.execute(query)]
    return sum(lasted) / len(lasted) if lasted else None


def slowest_call(transaction: sa.Connection) -> float:
    """Return the seconds that the slowest known call of this account took; 0 if there was none.

    An answered call took the time from sending to its answer. A lost call that was carried out took at least until
    the last reading that did not show it.
    """
    answered = sa.select(CHUNKS.c.sent_at, CHUNKS.c.answered_at).where(
        CHUNKS.c.state == ChunkState.ANSWERED, CHUNKS.c.sent_at.is_not(None)
    )
    late = (
        sa.select(sa.func.coalesce(CHUNKS.c.sent_at, CHUNKS.c.intended_at), sa.func.max(ROWS.c.absent_since))
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(
            ROWS.c.dataset == REVENUE,
            ROWS.c.outcome == Outcome.ACCEPTED,
            ROWS.c.code == SETTLED,
            ROWS.c.absent_since.is_not(None),
        )
        .group_by(CHUNKS.c.sent_at, CHUNKS.c.intended_at)
    )
    calls = [*transaction.execute(answered), *transaction.execute(late)]
    return max((_seconds(sent, ended) for sent, ended in calls), default=0.0)


def _seconds(sent_at: str | None, ended_at: str | None) -> float:
    if sent_at is None or ended_at is None:
        return 0.0
    return (datetime.fromisoformat(ended_at) - datetime.fromisoformat(sent_at)).total_seconds()
