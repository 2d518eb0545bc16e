"""What the ledger adds up to: by outcome, by reason, and by what the API acknowledged.

What does not belong here: counts of the current input that must be there at once (`Ledger.outcomes`).
"""

from dataclasses import dataclass

import sqlalchemy as sa

from pipelines.push.ledger_tables import CHUNKS, ROWS, ChunkState
from pipelines.push.verdicts import Outcome


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over every row and call of one dataset that is on record; money in ten-thousandths."""

    accepted: int = 0
    in_doubt: int = 0
    amount: int = 0
    success_count: int = 0
    duplicates_skipped: int = 0
    total_revenue: int = 0


def totals(connection: sa.Connection) -> dict[str, Totals]:
    """By dataset; those without a call are left out."""
    accepted = sa.or_(
        ROWS.c.outcome == Outcome.ACCEPTED,
        sa.and_(ROWS.c.outcome.is_(None), CHUNKS.c.state == ChunkState.ANSWERED),
    )
    doubt = ROWS.c.outcome == Outcome.IN_DOUBT
    rows = connection.execute(
        sa.select(
            ROWS.c.dataset,
            sa.func.sum(sa.case((accepted, 1), else_=0)),
            sa.func.sum(sa.case((doubt, 1), else_=0)),
            sa.func.sum(sa.case((accepted, sa.func.coalesce(ROWS.c.amount, 0)), else_=0)),
        )
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .group_by(ROWS.c.dataset)
    ).all()
    calls = connection.execute(
        sa.select(
            CHUNKS.c.dataset,
            sa.func.sum(CHUNKS.c.success_count),
            sa.func.sum(CHUNKS.c.duplicates_skipped),
            sa.func.coalesce(sa.func.sum(CHUNKS.c.total_revenue), 0),
        ).group_by(CHUNKS.c.dataset)
    ).all()
    answered = {str(call[0]): tuple(map(int, call[1:])) for call in calls}
    return {str(row[0]): Totals(*map(int, row[1:]), *answered[str(row[0])]) for row in rows}


def reasons(connection: sa.Connection, dataset: str, most: int) -> dict[str, int]:
    """Why rows of the current input have outcomes of their own: "outcome: words (code)" and how many rows."""
    number = sa.func.count().label("number")
    query = (
        sa.select(ROWS.c.outcome, ROWS.c.code, ROWS.c.message, number)
        .where(ROWS.c.dataset == dataset, ROWS.c.outcome.is_not(None), ROWS.c.current)
        .group_by(ROWS.c.outcome, ROWS.c.code, ROWS.c.message)
        .order_by(number.desc())
        .limit(most)
    )
    found = connection.execute(query)
    return {f"{outcome}: {words or 'no words'} ({code})": int(rows) for outcome, code, words, rows in found}
