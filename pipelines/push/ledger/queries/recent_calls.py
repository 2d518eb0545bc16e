"""The latest calls of a dataset, oldest first: what they show about the next ones.

What does not belong here: what is made of that (`pipelines.push.send.call_sizes`).
"""

from datetime import datetime

import sqlalchemy as sa

from pipelines.push.ledger.db.states import ChunkState
from pipelines.push.ledger.db.tables import CHUNKS

_MOST = 50


def recent_calls(transaction: sa.Connection, dataset: str, part: str) -> list[tuple[int, float, bool]]:
    """Of each its rows, how many seconds it lasted (0 where that is not on record), and whether it was answered.

    Args:
        transaction: a transaction.
        dataset: sends, clicks or revenue.
        part: whose calls.
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


def _seconds(sent_at: str | None, ended_at: str | None) -> float:
    if sent_at is None or ended_at is None:
        return 0.0
    return (datetime.fromisoformat(ended_at) - datetime.fromisoformat(sent_at)).total_seconds()
