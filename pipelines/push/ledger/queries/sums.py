"""Sums over the ledger: by outcome, by reason, and of what the API acknowledged.

Rows that were taken over from an earlier version may have unknown amounts. If the answer of a call acknowledged such
rows, they count with the sum of that answer.

What does not belong here: the counts of the current input, which must be fast (`Ledger.outcomes`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pipelines.push.ledger.db import row_outcome
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.db.tables import CHUNKS, PACKS, READINGS, ROWS
from pipelines.push.outcomes import EVIDENCE, RESOLVED, Outcome, cause


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over every row and call of one dataset in the ledger; money in ten-thousandths.

    `settled` are the accepted rows that no answer acknowledged. Revenue of a call that is under way, or died with its
    process, is in doubt. `total_revenue` is None if an answer did not give it.
    """

    accepted: int = 0
    settled: int = 0
    in_doubt: int = 0
    amount: int = 0
    amount_settled: int = 0
    amount_in_doubt: int = 0
    success_count: int = 0
    duplicates_skipped: int = 0
    total_revenue: int | None = 0


_UNKNOWN = sa.or_(row_outcome.IN_DOUBT, sa.and_(row_outcome.UNDER_WAY, ROWS.c.dataset == REVENUE))
"""It is unknown whether the row is in the account."""

_SUMS = ("accepted", "settled", "in_doubt", "amount", "amount_settled", "amount_in_doubt")


def sums(connection: sa.Connection) -> dict[str, Sums]:
    """Return sums by dataset; datasets without a call are left out."""
    kinds = (row_outcome.ACCEPTED, row_outcome.SETTLED, _UNKNOWN)
    amount = sa.func.coalesce(ROWS.c.amount, 0)
    rows = connection.execute(
        sa.select(
            ROWS.c.dataset,
            *(sa.func.sum(sa.case((kind, 1), else_=0)) for kind in kinds),
            *(sa.func.sum(sa.case((kind, amount), else_=0)) for kind in kinds),
        )
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .group_by(ROWS.c.dataset)
    ).all()
    packed = connection.execute(
        sa.select(PACKS.c.dataset, sa.func.sum(sa.case((row_outcome.ANSWERED, CHUNKS.c.rows), else_=0)))
        .join(CHUNKS, CHUNKS.c.chunk == PACKS.c.chunk)
        .group_by(PACKS.c.dataset)
    ).all()
    counted, without = _acknowledged(connection), _amount_of_unknown(connection)
    figures = {str(name): dict(zip(_SUMS, map(int, sums), strict=True)) for name, *sums in rows}
    for name, accepted_rows in packed:
        of_dataset = figures.setdefault(str(name), dict.fromkeys(_SUMS, 0))
        of_dataset["accepted"] += int(accepted_rows)
    if without:
        figures[REVENUE]["amount"] += without
    found = {}
    for dataset, sums_of in figures.items():
        success, skipped, revenue = counted[dataset]
        found[dataset] = Sums(
            **sums_of, success_count=success, duplicates_skipped=skipped, total_revenue=revenue
        )
    return found


def _acknowledged(connection: sa.Connection) -> dict[str, tuple[int, int, int | None]]:
    """Return what the API counted, by dataset: accepted, skipped, and revenue; None if an answer did not give it."""
    silent = sa.and_(row_outcome.ANSWERED, CHUNKS.c.dataset == REVENUE, CHUNKS.c.total_revenue.is_(None))
    calls = connection.execute(
        sa.select(
            CHUNKS.c.dataset,
            sa.func.sum(CHUNKS.c.success_count),
            sa.func.sum(CHUNKS.c.duplicates_skipped),
            sa.func.coalesce(sa.func.sum(CHUNKS.c.total_revenue), 0),
            sa.func.sum(sa.case((silent, 1), else_=0)),
        ).group_by(CHUNKS.c.dataset)
    ).all()
    return {
        str(name): (int(success), int(skipped), None if silent_calls else int(revenue))
        for name, success, skipped, revenue, silent_calls in calls
    }


def _amount_of_unknown(connection: sa.Connection) -> int:
    """Return the revenue acknowledged for calls with rows of unknown amounts, less the known amounts of these calls.

    A call whose known amounts exceed what it acknowledged counts as zero: this difference must stay visible.
    """
    acknowledged = sa.and_(ROWS.c.outcome.is_(None), row_outcome.ANSWERED)
    rest = CHUNKS.c.total_revenue - sa.func.coalesce(sa.func.sum(ROWS.c.amount), 0)
    calls = connection.execute(
        sa.select(rest)
        .join(ROWS, ROWS.c.chunk == CHUNKS.c.chunk)
        .where(ROWS.c.dataset == REVENUE, acknowledged, CHUNKS.c.total_revenue.is_not(None))
        .group_by(CHUNKS.c.chunk, CHUNKS.c.total_revenue)
        .having(sa.func.count(ROWS.c.amount) < sa.func.count())
    )
    return sum(max(int(amount), 0) for amount in calls.scalars())


def reasons(connection: sa.Connection, dataset: str, most: int) -> dict[str, int]:
    """Return why rows of the current input have outcomes of their own: "outcome: reason (code)" and number of rows.

    Rows of one outcome and code count as one reason if their reasons differ only in figures of contacts.

    Args:
        connection: a transaction.
        dataset: sends, clicks or revenue.
        most: the most reasons to return, the most frequent first.
    """
    number = sa.func.count().label("number")
    same = sa.case((ROWS.c.message.contains(EVIDENCE), EVIDENCE), else_=ROWS.c.message)
    query = (
        sa.select(ROWS.c.outcome, ROWS.c.code, sa.func.min(ROWS.c.message), number)
        .where(ROWS.c.dataset == dataset, ROWS.c.outcome.is_not(None), ROWS.c.current)
        .group_by(ROWS.c.outcome, ROWS.c.code, same)
        .order_by(number.desc())
        .limit(most)
    )
    found = connection.execute(query)
    return {
        f"{outcome}: {cause(text or '', Outcome(outcome)) or 'no reason given'} ({code})": int(rows)
        for outcome, code, text, rows in found
    }


def sent_revenue(
    connection: sa.Connection, names: Sequence[str], batch: int = 50_000
) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield revenue that is in the account or may be, and rows that a person rejected, in batches.

    Args:
        connection: a transaction.
        names: columns, in the order wanted: contact, ref (its list), accepted (false: in doubt; null: a person
            resolved it as rejected), amount, tries, intended_at, amount_before, count_before, phone_amount_before,
            phone_count_before, read_to (when the reading of these four ended), and chunk (the call). Amounts are in
            units (see `schemas.values.money`), null if unknown.
        batch: rows of a batch.

    Yields:
        Sequences of rows, each with those columns.
    """
    known: dict[str, sa.ColumnElement[Any]] = {
        "ref": ROWS.c.list_ref,
        "accepted": sa.case((_UNKNOWN, False), (row_outcome.ACCEPTED, True)),
        "intended_at": CHUNKS.c.intended_at,
        "read_to": READINGS.c.finished_at,
    }
    left_out = sa.and_(ROWS.c.outcome == Outcome.REJECTED, ROWS.c.code == RESOLVED)
    query = (
        sa.select(*(known[name] if name in known else ROWS.c[name] for name in names))
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .outerjoin(READINGS, READINGS.c.reading == CHUNKS.c.reading)
        .where(ROWS.c.dataset == REVENUE, sa.or_(_UNKNOWN, row_outcome.ACCEPTED, left_out))
    )
    yield from connection.execution_options(yield_per=batch).execute(query).partitions()
