WITH
sends AS (
    SELECT message_id, happened_at AS sent_at, list_id, phone_number, send_type, delivered
    FROM marts.imported_activity WHERE dataset = 'sends'
),
clicks AS (
    SELECT message_id, happened_at AS clicked_at, offer_id, phone_number, send_timestamp, true AS is_clicked
    FROM marts.imported_activity WHERE dataset = 'clicks'
),
earned AS (
    SELECT
        message_id,
        min(happened_at) AS earned_at,
        coalesce(arg_min(offer_id, row(happened_at, offer_id)) FILTER (WHERE happened_at IS NOT NULL), min(offer_id))
            AS offer_id,
        count(*) AS conversions,
        sum(revenue) AS revenue
    FROM marts.imported_activity WHERE dataset = 'revenue'
    GROUP BY message_id
),
messages AS (
    SELECT
        message_id,
        list_id,
        coalesce(clicks.offer_id, earned.offer_id) AS offer_id,
        coalesce(sends.phone_number, clicks.phone_number) AS phone_number,
        send_type,
        delivered,
        sends.message_id IS NOT NULL AS is_sent,
        coalesce(sent_at, send_timestamp) AS sent_at,
        clicked_at,
        earned_at,
        coalesce(is_clicked, false) AS is_clicked,
        coalesce(conversions, 0) AS conversions,
        coalesce(revenue, 0) AS revenue
    FROM sends FULL JOIN clicks USING (message_id) FULL JOIN earned USING (message_id)
)
SELECT
    *,
    date_trunc('month', marts.utc_day(coalesce(sent_at, clicked_at, earned_at)))::DATE AS month,
    marts.hours_between(sent_at, clicked_at) AS click_lag_hours,
    marts.hours_between(sent_at, earned_at) AS revenue_lag_hours,
    marts.hours_between(clicked_at, earned_at) AS click_revenue_lag_hours
FROM messages
