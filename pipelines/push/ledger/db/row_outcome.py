"""The outcome of a row, as expressions: its own where it has one, else that of its call.

Queries that use them join CHUNKS with ROWS (or PACKS). What does not belong here: the verbs that give outcomes
(`ledger.ledger`), and what an answer means (`send.answers`).
"""

from typing import Any

import sqlalchemy as sa

from pipelines.push.ledger.db.call_states import ChunkState, of_call
from pipelines.push.ledger.db.tables import CHUNKS, ROWS
from schemas.values.outcomes import Outcome

ANSWERED: sa.ColumnElement[bool] = CHUNKS.c.state == ChunkState.ANSWERED
"""Whether the row's call has its answer."""

ACCEPTED: sa.ColumnElement[bool] = sa.or_(
    ROWS.c.outcome == Outcome.ACCEPTED, sa.and_(ROWS.c.outcome.is_(None), ANSWERED)
)
"""Whether the row is accepted, by an outcome of its own or by its call."""

SETTLED: sa.ColumnElement[bool] = ROWS.c.outcome == Outcome.ACCEPTED
"""Whether it is accepted by an outcome of its own."""

IN_DOUBT: sa.ColumnElement[bool] = sa.func.coalesce(ROWS.c.outcome, "") == Outcome.IN_DOUBT
"""Whether the row is in doubt."""

UNDER_WAY: sa.ColumnElement[bool] = sa.and_(ROWS.c.outcome.is_(None), CHUNKS.c.state == ChunkState.INTENDED)
"""Whether the row's call is under way."""


def by_call(dataset: str) -> sa.ColumnElement[Any]:
    """`of_call` as an expression."""
    otherwise = of_call(dataset, ChunkState.LOST).value
    return sa.case((ANSWERED, of_call(dataset, ChunkState.ANSWERED).value), else_=otherwise)


def of_row(dataset: str) -> sa.ColumnElement[Any]:
    """The outcome of a row, its own first."""
    return sa.func.coalesce(ROWS.c.outcome, by_call(dataset))
