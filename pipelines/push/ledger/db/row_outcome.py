"""SQLAlchemy expressions for the outcome of a row: its own if it has one, else the one that its call gives.

Queries that use them must join CHUNKS with ROWS (or PACKS). What does not belong here: the verbs that give outcomes
(`ledger.ledger`), and what an answer means (`send.answers`).
"""

from typing import Any

import sqlalchemy as sa

from pipelines.push.ledger.db.call_states import ChunkState, of_call
from pipelines.push.ledger.db.tables import CHUNKS, ROWS
from schemas.values.outcomes import Outcome

ANSWERED: sa.ColumnElement[bool] = CHUNKS.c.state == ChunkState.ANSWERED
"""The row's call has its answer."""

ACCEPTED: sa.ColumnElement[bool] = sa.or_(
    ROWS.c.outcome == Outcome.ACCEPTED, sa.and_(ROWS.c.outcome.is_(None), ANSWERED)
)
"""The row is accepted, by an outcome of its own or by its call."""

SETTLED: sa.ColumnElement[bool] = ROWS.c.outcome == Outcome.ACCEPTED
"""The row is accepted by an outcome of its own."""

IN_DOUBT: sa.ColumnElement[bool] = sa.func.coalesce(ROWS.c.outcome, "") == Outcome.IN_DOUBT
"""The row is in doubt."""

UNDER_WAY: sa.ColumnElement[bool] = sa.and_(ROWS.c.outcome.is_(None), CHUNKS.c.state == ChunkState.INTENDED)
"""The row's call is under way."""


def by_call(dataset: str) -> sa.ColumnElement[Any]:
    """Return `of_call` as an expression."""
    otherwise = of_call(dataset, ChunkState.LOST).value
    return sa.case((ANSWERED, of_call(dataset, ChunkState.ANSWERED).value), else_=otherwise)


def of_row(dataset: str) -> sa.ColumnElement[Any]:
    """Return an expression for the outcome of a row."""
    return sa.func.coalesce(ROWS.c.outcome, by_call(dataset))
