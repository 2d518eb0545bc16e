WITH
moves AS (
    SELECT list_id, marts.utc_day(since) AS day, started_by AS move, active FROM marts.list_membership
    UNION ALL
    SELECT list_id, marts.utc_day(until), 'removed', active FROM marts.list_membership WHERE removed
),
days AS (
    SELECT
        day,
        list_id,
        count(*) FILTER (WHERE move = 'opening' AND active) AS found,
        count(*) FILTER (WHERE move = 'opening' AND NOT active) AS inactive_found,
        count(*) FILTER (WHERE move IN ('new', 'returned') AND active) AS new,
        count(*) FILTER (WHERE move = 'returned' AND active) AS returned,
        count(*) FILTER (WHERE move = 'reactivated') AS reactivated,
        count(*) FILTER (WHERE move = 'opted_out') AS opted_out,
        count(*) FILTER (WHERE move = 'removed' AND active) AS removed,
        count(*) FILTER (WHERE move IN ('new', 'returned') AND NOT active) AS inactive_new,
        count(*) FILTER (WHERE move = 'removed' AND NOT active) AS inactive_removed
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
books AS (
    SELECT
        *,
        sum(found + net) OVER up_to_day AS closing,
        sum(inactive_found + inactive_net) OVER up_to_day AS inactive_closing
    FROM nets
    WINDOW up_to_day AS (PARTITION BY list_id ORDER BY day)
)
SELECT
    day,
    books.list_id,
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
FROM books LEFT JOIN main.lists ON lists.id = books.list_id
