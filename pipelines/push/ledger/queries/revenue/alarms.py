"""Alarms in the ledger: revenue that turned up after it was called absent, until a person has acknowledged it.

What does not belong here: raising one (`absent`), and how they are read (`db.figures`).
"""

import sqlalchemy as sa

from pipelines.errors import DataError
from pipelines.push.ledger.db import row_outcome
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.db.engine import ask
from pipelines.push.ledger.db.figures import Alarm, Figures, Named
from pipelines.push.ledger.db.tables import ABSENT, ALARMS, CHUNKS, ROWS


def alarms(connection: sa.Connection, *, every: bool = False) -> list[Alarm]:
    """The alarms that nobody has acknowledged, oldest first; or every one."""
    return Figures(ask(connection), "").alarms(every=every)


def named(connection: sa.Connection, alarm: int) -> list[Named]:
    """The rows of an alarm."""
    return Figures(ask(connection), "").named(alarm)


def learned_seconds(connection: sa.Connection) -> float:
    """How long calls are to be given by what turned up so far; 0 where nothing has."""
    return float(connection.execute(sa.select(sa.func.max(ALARMS.c.settle_seconds))).scalar() or 0.0)


def require_open(connection: sa.Connection, alarm: int) -> None:
    """See that a person can acknowledge an alarm.

    Raises:
        DataError: there is no such alarm, or it is acknowledged already.
    """
    is_open = sa.select(ALARMS.c.alarm).where(ALARMS.c.alarm == alarm, ALARMS.c.acknowledged_at.is_(None))
    if connection.execute(is_open).first() is None:
        raise DataError(f"No alarm {alarm} is open.", "List them: trackly-sync resolve")


def acknowledge(connection: sa.Connection, alarm: int, reason: str, at: str) -> None:
    """A person has seen an alarm; see `require_open`.

    Args:
        connection: a transaction.
        alarm: its number.
        reason: what was done about it.
        at: when; ISO 8601, UTC.
    """
    connection.execute(
        sa.update(ALARMS)
        .where(ALARMS.c.alarm == alarm, ALARMS.c.acknowledged_at.is_(None))
        .values(acknowledged_at=at, reason=reason)
    )


def acknowledged_rows(connection: sa.Connection) -> list[tuple[str, str | None, int | None]]:
    """The rows of alarms that a person has acknowledged: the contact, its list, and what may be there twice.

    That is the amount, in ten-thousandths; None for a row that was not sent again, or not accepted then.
    """
    counts_again = sa.and_(row_outcome.ACCEPTED, ROWS.c.tries > 1)
    query = (
        sa.select(ABSENT.c.contact, ABSENT.c.list_ref, sa.case((counts_again, ABSENT.c.amount)))
        .join(ALARMS, ALARMS.c.alarm == ABSENT.c.alarm)
        .outerjoin(ROWS, sa.and_(ROWS.c.dataset == REVENUE, ROWS.c.identity == ABSENT.c.identity))
        .outerjoin(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(ALARMS.c.acknowledged_at.is_not(None), ALARMS.c.sent_again > 0)
    )
    return [tuple(row) for row in connection.execute(query)]
