"""Rows of revenue that a reconciliation found perhaps there twice, and rows of them that a person has acknowledged.

A finding is kept until the next reconciliation, an acknowledgement as long as its contact holds a surplus. What does
not belong here: finding it (`pipelines.push.audit.reconcile_query`), and how it is shown (`db.figures`).
"""

from collections.abc import Sequence

import pyarrow as pa
import sqlalchemy as sa

from pipelines.errors import DataError
from pipelines.push.ledger.db.engine import insert_many
from pipelines.push.ledger.db.tables import REPEATED

_OPEN = REPEATED.c.acknowledged_at.is_(None)


def note_found(connection: sa.Connection, found: pa.Table, gone: Sequence[str], at: str) -> None:
    """Replace the finding of the reconciliation before by that of a new one.

    Args:
        connection: a transaction.
        found: rows that are not acknowledged: identity, chunk, contact, list_ref and amount, as in push_repeated;
            a row as many times as it is there too often.
        gone: identities of acknowledged rows whose contacts no longer hold a surplus.
        at: the time of the finding; ISO 8601, UTC.
    """
    if connection.dialect.name == "postgresql":  # two at once would each leave their own
        connection.execute(sa.text("LOCK TABLE push_repeated IN EXCLUSIVE MODE"))
    connection.execute(sa.delete(REPEATED).where(_OPEN))
    if gone:
        which = sa.delete(REPEATED).where(REPEATED.c.identity == sa.bindparam("which"))
        connection.execute(which, [{"which": identity} for identity in gone])
    if found.num_rows:
        insert_many(connection, REPEATED, {"found_at": at}, found.to_pydict())


def acknowledge(connection: sa.Connection, at: str) -> list[str]:
    """Mark the finding of the last reconciliation as seen by a person.

    Args:
        connection: a transaction.
        at: the time; ISO 8601, UTC.

    Returns:
        The identities of the rows.
    """
    rows = connection.execute(
        sa.select(REPEATED.c.identity).where(_OPEN).order_by(REPEATED.c.entry)
    ).scalars()
    found = list(dict.fromkeys(rows))
    connection.execute(sa.update(REPEATED).where(_OPEN).values(acknowledged_at=at))
    return found


def require_found(connection: sa.Connection) -> None:
    """Check that there is something to acknowledge.

    Raises:
        DataError: the last reconciliation found nothing, or its finding is acknowledged already.
    """
    if connection.execute(sa.select(REPEATED.c.entry).where(_OPEN).limit(1)).first() is None:
        raise DataError(
            "Nothing that reconcile found perhaps there twice is open.",
            "To look again: trackly-sync reconcile",
        )


def acknowledged_again(connection: sa.Connection) -> list[tuple[str, str | None, int, str]]:
    """Return the acknowledged rows, once for each time: the contact, its list, the amount and the identity."""
    query = sa.select(REPEATED.c.contact, REPEATED.c.list_ref, REPEATED.c.amount, REPEATED.c.identity).where(
        ~_OPEN
    )
    return [tuple(row) for row in connection.execute(query)]
