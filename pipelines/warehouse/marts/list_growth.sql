-- A contact that left and came back is on its list, and counts as if it had never left.
WITH
gone AS (
    SELECT phone_number, list_id, max(removed_at) AS removed_at, arg_max(signup_date, removed_at) AS signup_date
    FROM sync.contacts_ended ANTI JOIN main.contacts USING (phone_number, list_id)
    WHERE removed_at IS NOT NULL
    GROUP BY phone_number, list_id
),
moves AS (
    SELECT marts.utc_day(signup_date) AS day, list_id, count(*) AS signups, 0 AS removed
    FROM main.contacts GROUP BY ALL
    UNION ALL
    SELECT marts.utc_day(signup_date), list_id, count(*), 0 FROM gone GROUP BY ALL
    UNION ALL
    SELECT marts.utc_day(removed_at), list_id, 0, count(*) FROM gone GROUP BY ALL
),
days AS (
    SELECT day, list_id, sum(signups) AS signups, sum(removed) AS removed FROM moves GROUP BY day, list_id
)
SELECT
    day,
    days.list_id,
    list_name,
    signups,
    removed,
    sum(signups - removed) OVER (PARTITION BY days.list_id ORDER BY day NULLS FIRST) AS contacts
FROM days LEFT JOIN main.lists ON lists.id = days.list_id
