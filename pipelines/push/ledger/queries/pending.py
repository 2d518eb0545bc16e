"""Rows that a call has left pending, or rejected, to be sent again.

What does not belong here: rows that were in no call yet, which the ledger does not know (`checks.compare`).
"""

from typing import NamedTuple

import sqlalchemy as sa

from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.db.tables import CHUNKS, ROWS
from pipelines.push.ledger.statements import unsettled_contacts
from pipelines.push.outcomes import Outcome


class Retry(NamedTuple):
    """A row that is pending again.

    Attributes:
        identity: what it is known by.
        code: why it is pending; "" where no code says so.
        tries: how many calls it was part of.
        rows: how many rows its last call had.
    """

    identity: str
    code: str
    tries: int
    rows: int


def to_retry(transaction: sa.Connection, dataset: str, part: str) -> list[Retry]:
    """Rows of the current input that are pending again.

    Revenue of a contact with rows that a later reading may settle waits for that: it would blur the numbers.

    Args:
        transaction: a transaction.
        dataset: sends, clicks or revenue.
        part: whose input.
    """
    free = sa.or_(ROWS.c.contact.is_(None), ROWS.c.contact.not_in(unsettled_contacts(part)))
    query = (
        sa.select(
            ROWS.c.identity, sa.func.coalesce(ROWS.c.code, "").label("code"), ROWS.c.tries, CHUNKS.c.rows
        )
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(
            ROWS.c.dataset == dataset,
            ROWS.c.outcome == Outcome.PENDING,
            ROWS.c.current,
            CHUNKS.c.part == part,
            free if dataset == REVENUE else sa.true(),
        )
    )
    return [Retry(**row) for row in transaction.execute(query).mappings()]


def called(transaction: sa.Connection, dataset: str, part: str, outcome: Outcome) -> list[str]:
    """Rows of the current input that were in a call and have an outcome of their own by now, by their identities.

    Args:
        transaction: a transaction.
        dataset: sends, clicks or revenue.
        part: whose input.
        outcome: pending or rejected.
    """
    query = (
        sa.select(ROWS.c.identity)
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(ROWS.c.dataset == dataset, ROWS.c.outcome == outcome, ROWS.c.current, CHUNKS.c.part == part)
    )
    return list(transaction.execute(query).scalars())
