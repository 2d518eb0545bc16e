"""What a run has done to the rows of one dataset, each counted once, however many calls it was part of.

What does not belong here: the counts of the current input (`Ledger.outcomes`), and all that is on record (`sums`).
"""

from collections import Counter
from collections.abc import Mapping

import sqlalchemy as sa

from pipelines.push.ledger.db.call_states import ChunkState, of_call
from pipelines.push.ledger.db.row_outcome import of_row
from pipelines.push.ledger.db.tables import CHUNKS, PACKS, ROWS
from pipelines.push.outcomes import SETTLED, Outcome


def sent_after(connection: sa.Connection, dataset: str, part: str, chunk: int) -> Mapping[Outcome, int]:
    """What became of the rows of the calls after one; calls that were not carried out are none.

    Args:
        connection: a transaction.
        dataset: sends, clicks or revenue.
        part: whose calls.
        chunk: the number of the last call before them.

    Returns:
        By outcome, how many rows. A row counts by its last call.
    """
    calls = (
        CHUNKS.c.dataset == dataset,
        CHUNKS.c.part == part,
        CHUNKS.c.chunk > chunk,
        CHUNKS.c.state != ChunkState.REFUSED,
    )
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
        return found  # the rows of revenue need not be looked through
    for state, rows in connection.execute(packed):
        found[of_call(dataset, state)] += int(rows)
    for what, rows in connection.execute(own):
        found[Outcome(what)] += int(rows)
    return found


def settled_since(connection: sa.Connection, dataset: str, part: str, chunk: int, at: str) -> int:
    """Rows of earlier calls that a reading has shown to be in the account.

    Args:
        connection: a transaction.
        dataset: the dataset; only revenue has such rows.
        part: whose calls.
        chunk: the number of the last of those calls.
        at: since when; ISO 8601, UTC.
    """
    query = (
        sa.select(sa.func.count())
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
    return int(connection.execute(query).scalar_one())
