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
    """Return the alarms without acknowledgement, oldest first; with `every`, all alarms."""
    return Figures(ask(connection), "").alarms(every=every)


def named(connection: sa.Connection, alarm: int) -> list[Named]:
    """Return the rows of an alarm."""
    return Figures(ask(connection), "").named(alarm)


def learned_seconds(connection: sa.Connection) -> float:
    """Return how many seconds a call may take, as late rows have shown so far; 0 if there were none."""
    return float(connection.execute(sa.select(sa.func.max(ALARMS.c.settle_seconds))).scalar() or 0.0)


def require_open(connection: sa.Connection, alarm: int) -> None:
    """Raise unless a person can acknowledge an alarm.

    Raises:
        DataError: there is no such alarm, or it is acknowledged already.
    """
    is_open = sa.select(ALARMS.c.alarm).where(ALARMS.c.alarm == alarm, ALARMS.c.acknowledged_at.is_(None))
    if connection.execute(is_open).first() is None:
        raise DataError(f"No alarm {alarm} is open.", "List them: trackly-sync resolve")


def acknowledge(connection: sa.Connection, alarm: int, reason: str, at: str) -> None:
    """Record that a person has seen an alarm; see `require_open`.

    Args:
        connection: a transaction.
        alarm: the number of the alarm.
        reason: what the person did about it.
        at: the time; ISO 8601, UTC.
    """
    connection.execute(
        sa.update(ALARMS)
        .where(ALARMS.c.alarm == alarm, ALARMS.c.acknowledged_at.is_(None))
        .values(acknowledged_at=at, reason=reason)
    )


def acknowledged_rows(connection: sa.Connection) -> list[tuple[str, str | None, int | None, None]]:
    """Return the rows of acknowledged alarms: the contact, its list, the amount that may be there twice, and None.

    The amount is in ten-thousandths; None for a row that was not sent again, or was not accepted then.
    """
    counts_again = sa.and_(row_outcome.ACCEPTED, ROWS.c.tries > 1)
    query = (
        sa.select(ABSENT.c.contact, ABSENT.c.list_ref, sa.case((counts_again, ABSENT.c.amount)), sa.null())
        .join(ALARMS, ALARMS.c.alarm == ABSENT.c.alarm)
        .outerjoin(ROWS, sa.and_(ROWS.c.dataset == REVENUE, ROWS.c.identity == ABSENT.c.identity))
        .outerjoin(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(ALARMS.c.acknowledged_at.is_not(None), ALARMS.c.sent_again > 0)
    )
    return [tuple(row) for row in connection.execute(query)]
