"""Readings of revenue by month, taken whenever revenue is published: what a month was, as it was read then.

A month is noted when it is not what it was at its last reading, and once after its end. So months that stand still
cost no row. Revenue is made of events or of changes of totals: where the one has taken the place of the other, the
last readings on the other basis stay as they are, since nobody has read those months on it again. What does not
belong here: how far a month has moved (`marts/revenue_restated.sql`).
"""

from collections.abc import Sequence

import duckdb

from pipelines.snapshots import Snapshot
from schemas.revenue import FROM_CONTACTS, REVENUE

_NOTE = """
INSERT INTO sync.revenue_readings BY NAME
WITH
now AS (
    SELECT
        date_trunc('month', day)::DATE AS month,
        basis,
        sum(revenue) AS revenue,
        sum(conversions)::BIGINT AS conversions,
        sum(payout) AS payout
    FROM marts.revenue_daily
    WHERE day IS NOT NULL AND basis = $basis
    GROUP BY month, basis
),
last AS (
    SELECT
        month,
        basis,
        max(read_at) AS read_at,
        arg_max({'revenue': revenue, 'conversions': conversions, 'payout': payout}, read_at) AS before
    FROM sync.revenue_readings
    WHERE basis = $basis
    GROUP BY month, basis
)
SELECT
    month,
    basis,
    $snapshot AS snapshot,
    $read_at::TIMESTAMPTZ AS read_at,
    coalesce(revenue, 0) AS revenue,
    coalesce(conversions, 0) AS conversions,
    payout
FROM now FULL JOIN last USING (month, basis)
WHERE before IS NULL
   OR coalesce(revenue, 0) <> before.revenue
   OR coalesce(conversions, 0) <> before.conversions
   OR payout IS DISTINCT FROM before.payout
   OR (
        marts.utc_day(last.read_at) < month + INTERVAL 1 MONTH
        AND marts.utc_day($read_at::TIMESTAMPTZ) >= month + INTERVAL 1 MONTH
   )
"""

_OF_NOTHING = "DELETE FROM sync.revenue_readings WHERE basis <> $basis AND read_at >= $since::TIMESTAMPTZ"


def note_revenue(connection: duckdb.DuckDBPyConnection, published: Sequence[Snapshot]) -> None:
    """Note the months of main.revenue where one of these snapshots is of it; the marts must be there.

    Readings of after a snapshot that was put back are dropped: they are no longer what was read last.
    """
    for manifest in (snapshot.manifest for snapshot in published):
        if manifest.dataset == REVENUE.name:
            later = "DELETE FROM sync.revenue_readings WHERE read_at > ?::TIMESTAMPTZ"
            connection.execute(later, [manifest.finished_at])
            basis = "change" if manifest.source == FROM_CONTACTS else "event"
            if manifest.source_since:  # an older version noted the months of the other basis as 0
                connection.execute(_OF_NOTHING, {"basis": basis, "since": manifest.source_since})
            connection.execute(
                _NOTE, {"basis": basis, "snapshot": manifest.snapshot, "read_at": manifest.finished_at}
            )
