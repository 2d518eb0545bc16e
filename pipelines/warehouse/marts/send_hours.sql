WITH
earned AS (
    SELECT message_id, revenue, marts.hours_between(sent_at, happened_at) AS since_send
    FROM (SELECT message_id, revenue, happened_at FROM marts.imported_activity WHERE dataset = 'revenue')
    JOIN (SELECT message_id, sent_at FROM marts.imported_messages WHERE is_sent) USING (message_id)
),
windows AS (
    SELECT
        message_id,
        sum(revenue) FILTER (WHERE since_send BETWEEN 0 AND 24) AS from_send_24h,
        sum(revenue) FILTER (WHERE since_send BETWEEN 0 AND 7 * 24) AS from_send_7d,
        sum(revenue) FILTER (WHERE since_send BETWEEN 0 AND 30 * 24) AS from_send_30d,
        sum(revenue) FILTER (WHERE since_send BETWEEN 0 AND 90 * 24) AS from_send_90d,
        sum(revenue) FILTER (WHERE since_send > 90 * 24) AS from_send_later,
        sum(revenue) FILTER (WHERE since_send < 0 OR since_send IS NULL) AS from_send_unknown
    FROM earned
    GROUP BY message_id
),
hours AS (
    SELECT
        list_id,
        epoch_us(sent_at) // 3600000000 % 24 AS hour,
        count(*) AS sends,
        count(*) FILTER (WHERE is_clicked) AS clicked,
        count(*) FILTER (WHERE conversions > 0) AS converted,
        sum(revenue) AS revenue,
        coalesce(sum(from_send_24h), 0) AS from_send_24h,
        coalesce(sum(from_send_7d), 0) AS from_send_7d,
        coalesce(sum(from_send_30d), 0) AS from_send_30d,
        coalesce(sum(from_send_90d), 0) AS from_send_90d,
        coalesce(sum(from_send_later), 0) AS from_send_later,
        coalesce(sum(from_send_unknown), 0) AS from_send_unknown
    FROM marts.imported_messages LEFT JOIN windows USING (message_id)
    WHERE is_sent
    GROUP BY ALL
)
SELECT
    hours.*,
    list_name,
    clicked / sends AS click_rate,
    revenue / sends AS revenue_per_send
FROM hours LEFT JOIN main.lists ON lists.id = hours.list_id
