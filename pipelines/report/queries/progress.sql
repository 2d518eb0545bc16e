-- The current history input by the month in which it happened (the last 36), or by day where it spans two months at
-- most: how far an import of years is. A period in which nothing happened is there without an outcome. The day as
-- marts.utc_day has it, which warehouses of before do not have.
WITH
days AS (
    SELECT dataset, make_timestamp(epoch_us(happened_at))::DATE AS day, outcome, count(*) AS rows, sum(revenue) AS revenue
    FROM imports.records
    WHERE in_input AND happened_at IS NOT NULL
    GROUP BY ALL
),
grain AS (SELECT CASE WHEN max(day) - min(day) > 62 THEN 'month' ELSE 'day' END AS grain FROM days),
periods AS (
    SELECT dataset, grain, date_trunc(grain, day)::DATE AS period, outcome, sum(rows) AS rows, sum(revenue) AS revenue
    FROM days CROSS JOIN grain
    GROUP BY ALL
),
shown AS (SELECT grain, unnest(last_periods(grain, min(period), max(period))) AS period FROM periods GROUP BY grain)
SELECT dataset, grain, period, outcome, rows, revenue
FROM shown LEFT JOIN periods USING (grain, period)
ORDER BY dataset, period, outcome
