WITH
steps AS (
    SELECT
        month,
        list_id,
        offer_id,
        count(*) FILTER (WHERE is_sent) AS sends,
        count(*) FILTER (WHERE is_sent AND delivered) AS delivered,
        count(*) FILTER (WHERE is_sent AND NOT delivered) AS undelivered,
        count(*) FILTER (WHERE is_sent AND is_clicked) AS clicked,
        count(*) FILTER (WHERE is_sent AND conversions > 0) AS converted,
        count(*) FILTER (WHERE is_sent AND is_clicked AND conversions > 0) AS clicked_converted,
        count(*) FILTER (WHERE is_clicked AND NOT is_sent) AS clicks_without_send,
        0 AS conversions,
        0 AS conversions_without_send,
        0 AS revenue,
        median(click_lag_hours) AS click_lag_hours,
        median(revenue_lag_hours) AS revenue_lag_hours,
        median(click_revenue_lag_hours) AS click_revenue_lag_hours
    FROM marts.imported_messages
    GROUP BY month, list_id, offer_id
    -- Revenue counts for the offer of its own record, which may differ from the clicked offer.
    UNION ALL BY NAME
    SELECT
        month,
        messages.list_id,
        earned.offer_id,
        count(*) AS conversions,
        count(*) FILTER (WHERE NOT is_sent) AS conversions_without_send,
        sum(earned.revenue) AS revenue
    FROM marts.imported_activity AS earned JOIN marts.imported_messages AS messages USING (message_id)
    WHERE dataset = 'revenue'
    GROUP BY month, messages.list_id, earned.offer_id
),
funnel AS (
    SELECT
        month,
        list_id,
        offer_id,
        coalesce(sum(sends), 0) AS sends,
        coalesce(sum(delivered), 0) AS delivered,
        coalesce(sum(undelivered), 0) AS undelivered,
        coalesce(sum(clicked), 0) AS clicked,
        coalesce(sum(converted), 0) AS converted,
        coalesce(sum(clicked_converted), 0) AS clicked_converted,
        coalesce(sum(clicks_without_send), 0) AS clicks_without_send,
        sum(conversions) AS conversions,
        sum(conversions_without_send) AS conversions_without_send,
        coalesce(sum(revenue), 0) AS revenue,
        max(click_lag_hours) AS click_lag_hours,
        max(revenue_lag_hours) AS revenue_lag_hours,
        max(click_revenue_lag_hours) AS click_revenue_lag_hours
    FROM steps
    GROUP BY month, list_id, offer_id
)
SELECT
    funnel.*,
    list_name,
    offers.name AS offer_name,
    sends - clicked AS not_clicked,
    converted - clicked_converted AS converted_not_clicked,
    clicked / nullif(sends, 0) AS click_rate,
    clicked_converted / nullif(clicked, 0) AS conversion_rate
FROM funnel
LEFT JOIN main.lists ON lists.id = funnel.list_id
LEFT JOIN main.offers ON offers.id = funnel.offer_id
