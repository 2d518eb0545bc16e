"""What each part of the input says by now of revenue that it sent otherwise: a part has only its own files.

What does not belong here: what a push compares with it (`pipelines.push.checks.revenue.like_sent`).
"""

from collections.abc import Collection, Mapping

import pyarrow as pa
import sqlalchemy as sa

from pipelines.push.ledger.db.tables import CORRECTED
from pipelines.push.ledger.ledger import Ledger


def note_corrected(ledger: Ledger, says: Mapping[str, int], as_sent: Collection[str]) -> None:
    """Note what this part of the input says; what it says no longer, since its rows have left it, is kept.

    Args:
        ledger: open for writing.
        says: by identity, the likeness of what the input says of a row that was sent otherwise.
        as_sent: rows that it has as they were sent, again.
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
    """What is noted, of every part: identity, whether it is of this part, likeness."""
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
