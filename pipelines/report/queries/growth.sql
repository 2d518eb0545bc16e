-- Contacts of all lists by month (the last 36), or by day where all joined within two months; periods in which nothing
-- happened are there with zero.
WITH
days AS (
    SELECT day, sum(signups) AS signups, sum(removed) AS removed FROM marts.list_growth GROUP BY day
),
grain AS (SELECT CASE WHEN max(day) - min(day) > 62 THEN 'month' ELSE 'day' END AS grain FROM days),
periods AS (
    SELECT grain, date_trunc(grain, day)::DATE AS period, sum(signups) AS signups, sum(removed) AS removed
    FROM days CROSS JOIN grain
    GROUP BY ALL
),
shown AS (SELECT grain, unnest(last_periods(grain, min(period), max(period))) AS period FROM periods GROUP BY grain)
SELECT grain, period, coalesce(signups, 0) AS signups, coalesce(removed, 0) AS removed
FROM shown LEFT JOIN periods USING (grain, period)
ORDER BY period
