"""Readings of revenue by month, taken whenever revenue is published.

A reading of a month is stored if it differs from the month's last reading, and once after the month's end. So months
that do not change add no rows. Revenue comes from events or from changes of totals. If the source changes, the last
readings of the other source stay as they are, since those months were not read from that source again. What does not
belong here: how much a month has changed (`marts/revenue_restated.sql`).
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
    """Store readings of main.revenue's months if one of these snapshots is revenue; the marts must exist.

    After a rollback, readings later than the restored snapshot are dropped, since they are no longer the last ones.
    """
    for manifest in (snapshot.manifest for snapshot in published):
        if manifest.dataset == REVENUE.name:
            later = "DELETE FROM sync.revenue_readings WHERE read_at > ?::TIMESTAMPTZ"
            connection.execute(later, [manifest.finished_at])
            basis = "change" if manifest.source == FROM_CONTACTS else "event"
            if manifest.source_since:  # an older version stored 0 for the months of the other source
                connection.execute(_OF_NOTHING, {"basis": basis, "since": manifest.source_since})
            connection.execute(
                _NOTE, {"basis": basis, "snapshot": manifest.snapshot, "read_at": manifest.finished_at}
            )
