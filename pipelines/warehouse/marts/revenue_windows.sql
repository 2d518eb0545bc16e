WITH
earned AS (
    SELECT
        month,
        messages.list_id,
        activity.offer_id,
        activity.revenue,
        marts.hours_between(sent_at, happened_at) AS since_send,
        marts.hours_between(clicked_at, happened_at) AS since_click
    FROM marts.imported_activity AS activity JOIN marts.imported_messages AS messages USING (message_id)
    WHERE dataset = 'revenue'
),
windows AS (
    SELECT
        month,
        list_id,
        offer_id,
        count(*) AS conversions,
        sum(revenue) AS revenue,
        sum(revenue) FILTER (WHERE since_send BETWEEN 0 AND 24) AS from_send_24h,
        sum(revenue) FILTER (WHERE since_send BETWEEN 0 AND 7 * 24) AS from_send_7d,
        sum(revenue) FILTER (WHERE since_send BETWEEN 0 AND 30 * 24) AS from_send_30d,
        sum(revenue) FILTER (WHERE since_send BETWEEN 0 AND 90 * 24) AS from_send_90d,
        sum(revenue) FILTER (WHERE since_send > 90 * 24) AS from_send_later,
        sum(revenue) FILTER (WHERE since_send < 0 OR since_send IS NULL) AS from_send_unknown,
        sum(revenue) FILTER (WHERE since_click BETWEEN 0 AND 24) AS from_click_24h,
        sum(revenue) FILTER (WHERE since_click BETWEEN 0 AND 7 * 24) AS from_click_7d,
        sum(revenue) FILTER (WHERE since_click BETWEEN 0 AND 30 * 24) AS from_click_30d,
        sum(revenue) FILTER (WHERE since_click BETWEEN 0 AND 90 * 24) AS from_click_90d,
        sum(revenue) FILTER (WHERE since_click > 90 * 24) AS from_click_later,
        sum(revenue) FILTER (WHERE since_click < 0 OR since_click IS NULL) AS from_click_unknown
    FROM earned
    GROUP BY month, list_id, offer_id
)
SELECT
    month,
    list_id,
    list_name,
    offer_id,
    offers.name AS offer_name,
    conversions,
    coalesce(COLUMNS(windows.* EXCLUDE (month, list_id, offer_id, conversions)), 0)
FROM windows
LEFT JOIN main.lists ON lists.id = list_id
LEFT JOIN main.offers ON offers.id = offer_id
