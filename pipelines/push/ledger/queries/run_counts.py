"""The outcomes of one dataset's rows in a run; a row counts once, however many calls it was part of.

What does not belong here: the counts of the current input (`Ledger.outcomes`), and sums over everything (`sums`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from pipelines.push.ledger.db.call_states import ChunkState, of_call
from pipelines.push.ledger.db.row_outcome import of_row
from pipelines.push.ledger.db.tables import CHUNKS, PACKS, ROWS
from pipelines.push.outcomes import SETTLED, Outcome
from schemas.own_tables.sync import RunRecord


def sent_after(connection: sa.Connection, dataset: str, part: str, chunk: int) -> Mapping[Outcome, int]:
    """Return the outcomes of the rows of later calls, without calls that were not carried out.

    Args:
        connection: a transaction.
        dataset: sends, clicks or revenue.
        part: the part of the input.
        chunk: the number of the last call before them.

    Returns:
        Rows by outcome. A row counts by its last call.
    """
    return _sent(connection, dataset, (*_carried_out(dataset, part), CHUNKS.c.chunk > chunk), chunk)


def sent_by(connection: sa.Connection, record: RunRecord, part: str) -> tuple[Mapping[Outcome, int], int]:
    """Return the outcomes of the rows of a push's calls, as `sent_after` does, and how many earlier rows it settled.

    Args:
        connection: a transaction.
        record: the record of the push of one dataset; no later push of that dataset has begun.
        part: the part of the input.
    """
    dataset = record.activity.rpartition(" ")[2]
    ours = sa.or_(
        CHUNKS.c.run == record.run,
        CHUNKS.c.run.is_(None),  # of a version that kept no run: found by their time alone
    )
    calls = (*_carried_out(dataset, part), ours, CHUNKS.c.intended_at >= record.started_at)
    first = connection.execute(sa.select(sa.func.min(CHUNKS.c.chunk)).where(*calls)).scalar()
    latest = connection.execute(sa.select(sa.func.max(CHUNKS.c.chunk))).scalar() or 0
    before = latest if first is None else int(first) - 1
    sent = {} if first is None else _sent(connection, dataset, calls, before)
    return sent, len(settled_since(connection, dataset, part, before, record.started_at))


def by_outcome(sent: Mapping[Outcome, int]) -> dict[str, int]:
    """Return the counts of sent rows that a record's details name."""
    return {name: sent.get(name, 0) for name in (Outcome.DUPLICATE, Outcome.REJECTED, Outcome.IN_DOUBT)}


def _carried_out(dataset: str, part: str) -> tuple[sa.ColumnElement[bool], ...]:
    return CHUNKS.c.dataset == dataset, CHUNKS.c.part == part, CHUNKS.c.state != ChunkState.REFUSED


def _sent(
    connection: sa.Connection, dataset: str, calls: Sequence[sa.ColumnElement[bool]], chunk: int
) -> Mapping[Outcome, int]:
    """Return rows by outcome for some calls, all of which have numbers above `chunk`."""
    packed = (
        sa.select(CHUNKS.c.state, sa.func.sum(CHUNKS.c.rows))
        .join(PACKS, PACKS.c.chunk == CHUNKS.c.chunk)
        .where(*calls)
        .group_by(CHUNKS.c.state)
    )
    outcome = of_row(dataset)
    own = (
        sa.select(outcome, sa.func.count())
        .select_from(ROWS)
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(ROWS.c.dataset == dataset, ROWS.c.chunk > chunk, *calls)
        .group_by(outcome)
    )
    found: Counter[Outcome] = Counter()
    if not connection.execute(sa.select(CHUNKS.c.chunk).where(*calls).limit(1)).first():
        return found  # saves searching the rows of revenue
    for state, rows in connection.execute(packed):
        found[of_call(dataset, state)] += int(rows)
    for what, rows in connection.execute(own):
        found[Outcome(what)] += int(rows)
    return found


def settled_since(connection: sa.Connection, dataset: str, part: str, chunk: int, at: str) -> list[str]:
    """Return the identities of earlier calls' rows that a reading has shown to be in the account.

    Args:
        connection: a transaction.
        dataset: the dataset; only revenue has such rows.
        part: the part of the input.
        chunk: the number of the last of those calls.
        at: since when; ISO 8601, UTC.

    Returns:
        Their identities.
    """
    query = (
        sa.select(ROWS.c.identity)
        .select_from(ROWS)
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(
            ROWS.c.dataset == dataset,
            ROWS.c.outcome == Outcome.ACCEPTED,
            ROWS.c.code == SETTLED,
            ROWS.c.settled_at >= at,
            ROWS.c.chunk <= chunk,
            CHUNKS.c.part == part,
        )
    )
    return list(connection.execute(query).scalars())
