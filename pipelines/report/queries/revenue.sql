-- Revenue of each basis by day (the last 63) and by month (the last 36); those without any are there with zero. What left
-- and came back with contacts is no sale, so it stands apart.
WITH
earned AS (
    SELECT basis, day, revenue, 0 AS gone, 0 AS back FROM marts.revenue_daily WHERE basis IN ('event', 'change')
    UNION ALL
    SELECT 'change', make_timestamp(epoch_us(timestamp))::DATE, -(gone + back), gone, back FROM departures
    UNION ALL
    -- As marts.imported_activity counts it, without looking up the sends, which costs most of its time.
    SELECT 'imported', make_timestamp(epoch_us(happened_at))::DATE, revenue, 0, 0
    FROM imports.records
    WHERE dataset = 'revenue' AND (outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0))
),
sums AS (
    SELECT basis, 'day' AS grain, day AS period, sum(revenue) AS revenue, sum(gone) AS gone, sum(back) AS back
    FROM earned WHERE day IS NOT NULL GROUP BY ALL
    UNION ALL
    SELECT basis, 'month', date_trunc('month', day)::DATE, sum(revenue), sum(gone), sum(back)
    FROM earned WHERE day IS NOT NULL GROUP BY ALL
),
periods AS (
    SELECT basis, grain, unnest(last_periods(grain, min(period), max(period))) AS period
    FROM sums
    GROUP BY basis, grain
)
SELECT
    basis, grain, period, coalesce(revenue, 0) AS revenue, coalesce(gone, 0) AS gone, coalesce(back, 0) AS back
FROM periods LEFT JOIN sums USING (basis, grain, period)
ORDER BY basis, grain, period
