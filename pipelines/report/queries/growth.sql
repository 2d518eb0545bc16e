-- Contacts of all lists by month (the last 36), or by day where all joined within two months.
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
running AS (
    SELECT *, sum(signups - removed) OVER (ORDER BY period NULLS FIRST) AS contacts FROM periods
)
SELECT *
FROM running
WHERE period > (SELECT max(period) FROM running) - CASE grain WHEN 'month' THEN INTERVAL 36 MONTH ELSE INTERVAL 63 DAY END
ORDER BY period
