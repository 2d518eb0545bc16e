WITH
-- Counted without intermediate rows: one row per contact would be too many.
stretches AS (
    SELECT
        list_id, started_by, active, marts.utc_day(since) AS day,
        CASE WHEN removed THEN marts.utc_day(until) END AS removed_on, removed, active_again, count(*) AS contacts
    FROM marts.list_membership
    GROUP BY ALL
),
moves AS (
    SELECT list_id, day, started_by AS move, active, contacts FROM stretches
    UNION ALL
    SELECT list_id, removed_on, 'removed', active, contacts FROM stretches WHERE removed AND active_again IS NULL
    UNION ALL
    -- A contact that signed up again between two pulls was on the list in both: neither removed nor returned.
    SELECT list_id, removed_on, 'returned', active_again, -contacts FROM stretches WHERE active_again IS NOT NULL
    UNION ALL
    SELECT list_id, removed_on, CASE WHEN active THEN 'opted_out' ELSE 'reactivated' END, active, contacts
    FROM stretches WHERE active_again <> active
),
days AS (
    SELECT
        day,
        list_id,
        coalesce(sum(contacts) FILTER (WHERE move = 'opening' AND active), 0)::BIGINT AS found,
        coalesce(sum(contacts) FILTER (WHERE move = 'opening' AND NOT active), 0)::BIGINT AS inactive_found,
        coalesce(sum(contacts) FILTER (WHERE move IN ('new', 'returned') AND active), 0)::BIGINT AS new,
        coalesce(sum(contacts) FILTER (WHERE move = 'returned' AND active), 0)::BIGINT AS returned,
        coalesce(sum(contacts) FILTER (WHERE move = 'reactivated'), 0)::BIGINT AS reactivated,
        coalesce(sum(contacts) FILTER (WHERE move = 'opted_out'), 0)::BIGINT AS opted_out,
        coalesce(sum(contacts) FILTER (WHERE move = 'removed' AND active), 0)::BIGINT AS removed,
        coalesce(sum(contacts) FILTER (WHERE move IN ('new', 'returned') AND NOT active), 0)::BIGINT AS inactive_new,
        coalesce(sum(contacts) FILTER (WHERE move = 'removed' AND NOT active), 0)::BIGINT AS inactive_removed
    FROM moves
    GROUP BY day, list_id
),
nets AS (
    SELECT
        *,
        new + reactivated - opted_out - removed AS net,
        inactive_new + opted_out - reactivated - inactive_removed AS inactive_net
    FROM days
),
balances AS (
    SELECT
        *,
        sum(found + net) OVER up_to_day AS closing,
        sum(inactive_found + inactive_net) OVER up_to_day AS inactive_closing
    FROM nets
    WINDOW up_to_day AS (PARTITION BY list_id ORDER BY day)
)
SELECT
    day,
    balances.list_id,
    list_name,
    closing - net AS opening,
    new,
    returned,
    reactivated,
    opted_out,
    removed,
    closing,
    net,
    (opted_out + removed) / nullif(closing - net, 0) AS churn_rate,
    inactive_closing - inactive_net AS inactive_opening,
    inactive_new,
    inactive_removed,
    inactive_closing
FROM balances LEFT JOIN main.lists ON lists.id = balances.list_id
