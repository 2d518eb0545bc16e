"""The present likeness of revenue that each part of the input sent with other content: a part has only its own files.

What does not belong here: what a push compares with it (`pipelines.push.checks.revenue.like_sent`).
"""

from collections.abc import Collection, Mapping

import pyarrow as pa
import sqlalchemy as sa

from pipelines.push.ledger.db.tables import CORRECTED
from pipelines.push.ledger.ledger import Ledger


def note_corrected(ledger: Ledger, says: Mapping[str, int], as_sent: Collection[str]) -> None:
    """Record the present likeness of rows of this part of the input; rows that have left the input keep theirs.

    Args:
        ledger: a ledger that is open for writing.
        says: by identity, the present likeness of a row that was sent with other content.
        as_sent: rows that have the content again that they were sent with.
    """
    which = [{"who": identity} for identity in (*says, *as_sent)]
    if not which:
        return
    rows = [{"identity": who, "part": ledger.part, "likeness": likeness} for who, likeness in says.items()]
    with ledger.begin() as connection:
        connection.execute(sa.delete(CORRECTED).where(CORRECTED.c.identity == sa.bindparam("who")), which)
        if rows:
            connection.execute(sa.insert(CORRECTED), rows)


def corrected(ledger: Ledger) -> pa.Table:
    """Return all records, of every part: identity, whether it is of this part, likeness."""
    query = sa.select(CORRECTED.c.identity, CORRECTED.c.part == ledger.part, CORRECTED.c.likeness)
    with ledger.begin() as connection:
        found = connection.execute(query).all()
    identities, ours, likenesses = ([row[place] for row in found] for place in range(3))
    return pa.table(
        {
            "identity": pa.array(identities, pa.string()),
            "ours": pa.array(map(bool, ours), pa.bool_()),
            "likeness": pa.array(likenesses, pa.int64()),
        }
    )
