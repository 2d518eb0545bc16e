-- Revenue of each basis by day (the last 60) and by month (the last 36), and what left with contacts; days without
-- any are there with zero.
WITH
changes AS (FROM main.revenue WHERE source = 'contacts' AND since IS NOT NULL),
earned AS (
    SELECT basis, day, revenue, 0 AS gone FROM marts.revenue_daily WHERE basis = 'event'
    UNION ALL
    -- What contacts that are gone took with them is no negative sale, so it stands apart.
    SELECT 'change', make_timestamp(epoch_us(timestamp))::DATE, revenue, 0
    FROM changes SEMI JOIN main.contacts USING (phone_number, list_id)
    UNION ALL
    SELECT 'change', make_timestamp(epoch_us(timestamp))::DATE, greatest(revenue, 0), least(revenue, 0)
    FROM changes ANTI JOIN main.contacts USING (phone_number, list_id)
    UNION ALL
    -- As marts.imported_activity counts it, without looking up the sends, which costs most of its time.
    SELECT 'imported', make_timestamp(epoch_us(happened_at))::DATE, revenue, 0
    FROM imports.records
    WHERE dataset = 'revenue' AND (outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0))
),
sums AS (
    SELECT basis, 'day' AS grain, day AS period, sum(revenue) AS revenue, sum(gone) AS gone
    FROM earned WHERE day IS NOT NULL GROUP BY ALL
    UNION ALL
    SELECT basis, 'month', date_trunc('month', day)::DATE, sum(revenue), sum(gone)
    FROM earned WHERE day IS NOT NULL GROUP BY ALL
),
spans AS (SELECT basis, grain, min(period) AS first, max(period) AS last FROM sums GROUP BY basis, grain),
periods AS (
    SELECT
        basis,
        grain,
        unnest(
            CASE
                WHEN grain = 'day'
                    THEN generate_series(greatest(first, last - INTERVAL 59 DAY), last, INTERVAL 1 DAY)
                ELSE generate_series(greatest(first, last - INTERVAL 35 MONTH), last, INTERVAL 1 MONTH)
            END
        )::DATE AS period
    FROM spans
)
SELECT basis, grain, period, coalesce(revenue, 0) AS revenue, coalesce(gone, 0) AS gone
FROM periods LEFT JOIN sums USING (basis, grain, period)
ORDER BY basis, grain, period
