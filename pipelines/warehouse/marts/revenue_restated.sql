WITH
-- The current basis of revenue; readings on the other basis are older.
current AS (
    SELECT CASE WHEN source = 'contacts' THEN 'change' ELSE 'event' END AS basis
    FROM sync.snapshots
    WHERE published AND dataset = 'revenue'
),
closed AS (
    SELECT month, basis, arg_min(revenue, read_at) AS closed_revenue, min(read_at) AS closed_at
    FROM sync.revenue_readings
    WHERE marts.utc_day(read_at) >= month + INTERVAL 1 MONTH
    GROUP BY month, basis
),
read AS (
    SELECT
        *,
        revenue - lag(revenue) OVER readings AS change,
        first_value(revenue) OVER readings AS first_revenue,
        lead(read_at) OVER readings IS NULL AND basis IN (FROM current) AS latest
    FROM sync.revenue_readings
    WINDOW readings AS (PARTITION BY month, basis ORDER BY read_at)
)
SELECT
    month,
    basis,
    snapshot,
    read_at,
    revenue,
    conversions,
    change,
    first_revenue,
    revenue - first_revenue AS moved,
    (revenue - first_revenue) / nullif(first_revenue, 0) AS moved_share,
    CASE WHEN read_at >= closed_at THEN closed_revenue END AS closed_revenue,
    CASE WHEN read_at >= closed_at THEN revenue - closed_revenue END AS moved_after_end,
    latest
FROM read LEFT JOIN closed USING (month, basis)
