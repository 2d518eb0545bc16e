-- Revenue by day (the last 60) and by month (the last 36) of each basis; days without any are there with zero.
WITH
earned AS (
    SELECT basis, day, revenue FROM marts.revenue_daily WHERE basis <> 'opening'
    UNION ALL
    -- As marts.imported_activity counts it, without looking up the sends, which costs most of its time.
    SELECT 'imported', make_timestamp(epoch_us(happened_at))::DATE, revenue
    FROM imports.records
    WHERE dataset = 'revenue' AND (outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0))
),
sums AS (
    SELECT basis, 'day' AS grain, day AS period, sum(revenue) AS revenue
    FROM earned WHERE day IS NOT NULL GROUP BY ALL
    UNION ALL
    SELECT basis, 'month', date_trunc('month', day)::DATE, sum(revenue)
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
SELECT basis, grain, period, coalesce(revenue, 0) AS revenue
FROM periods LEFT JOIN sums USING (basis, grain, period)
ORDER BY basis, grain, period
