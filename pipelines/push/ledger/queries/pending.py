"""Rows that a call has left pending or rejected, to be sent again.

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
        identity: the identity of the row.
        code: why it is pending; "" if there is no code.
        tries: how many calls it was part of.
        rows: how many rows its last call had.
    """

    identity: str
    code: str
    tries: int
    rows: int


def to_retry(transaction: sa.Connection, dataset: str, part: str) -> list[Retry]:
    """Return the rows of the current input that are pending again.

    Revenue of a contact waits while a later reading may settle rows of that contact: sending would confuse the
    totals.

    Args:
        transaction: a transaction.
        dataset: sends, clicks or revenue.
        part: the part of the input.
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
    """Return the identities of rows of the current input that were in a call and have a given outcome of their own.

    Args:
        transaction: a transaction.
        dataset: sends, clicks or revenue.
        part: the part of the input.
        outcome: pending or rejected.
    """
    query = (
        sa.select(ROWS.c.identity)
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(ROWS.c.dataset == dataset, ROWS.c.outcome == outcome, ROWS.c.current, CHUNKS.c.part == part)
    )
    return list(transaction.execute(query).scalars())
