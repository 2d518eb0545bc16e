WITH
-- As marts.imported_activity counts it, without looking up the sends, which costs most of its time.
taken_in AS (
    SELECT dataset, message_id, offer_id, revenue, payout
    FROM imports.records
    WHERE offer_id IS NOT NULL AND (outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0) OR code = 'sent_before')
),
-- If nothing was imported, or no events are served, figures are null, not zero.
known AS (
    SELECT
        (SELECT count(*) > 0 FROM taken_in WHERE dataset = 'clicks') AS clicks,
        (SELECT count(*) > 0 FROM taken_in WHERE dataset = 'revenue') AS revenue,
        (SELECT count(*) > 0 FROM main.revenue WHERE source = 'events') AS events
),
converted AS (
    SELECT DISTINCT message_id, offer_id, true AS is_converted
    FROM taken_in
    WHERE dataset = 'revenue'
),
imported AS (
    SELECT
        offer_id,
        count(DISTINCT message_id) AS engaged_sends,
        count(*) FILTER (WHERE dataset = 'clicks') AS clicks,
        count(*) FILTER (WHERE dataset = 'clicks' AND is_converted) AS converted_clicks,
        count(*) FILTER (WHERE dataset = 'revenue') AS conversions,
        sum(revenue) AS revenue,
        sum(payout) AS payout,
        sum(revenue) FILTER (WHERE payout IS NOT NULL) AS paid_revenue
    FROM taken_in LEFT JOIN converted USING (message_id, offer_id)
    GROUP BY offer_id
),
events AS (
    SELECT
        offer_id,
        count(*) AS conversions,
        sum(revenue) AS revenue,
        sum(payout) AS payout,
        sum(revenue) FILTER (WHERE payout IS NOT NULL) AS paid_revenue
    FROM main.revenue
    WHERE source = 'events' AND offer_id IS NOT NULL
    GROUP BY offer_id
)
SELECT
    offer_id,
    offers.name AS offer_name,
    offers.status,
    offers.payout_type,
    offers.payout AS offer_payout,
    coalesce(imported.engaged_sends, CASE WHEN known.clicks OR known.revenue THEN 0 END) AS engaged_sends,
    CASE WHEN known.clicks THEN coalesce(imported.clicks, 0) END AS clicks,
    CASE WHEN known.revenue THEN coalesce(imported.conversions, 0) END AS conversions,
    CASE WHEN known.revenue THEN coalesce(imported.revenue, 0) END AS revenue,
    imported.payout,
    imported.paid_revenue - imported.payout AS margin,
    (imported.paid_revenue - imported.payout) / nullif(imported.paid_revenue, 0) AS margin_share,
    CASE WHEN known.revenue THEN coalesce(imported.revenue, 0) / nullif(imported.clicks, 0) END AS epc,
    CASE WHEN known.revenue THEN imported.converted_clicks / nullif(imported.clicks, 0) END AS conversion_rate,
    CASE WHEN known.revenue THEN imported.conversions / nullif(imported.clicks, 0) END AS conversions_per_click,
    CASE WHEN known.events THEN coalesce(events.conversions, 0) END AS event_conversions,
    CASE WHEN known.events THEN coalesce(events.revenue, 0) END AS event_revenue,
    events.payout AS event_payout,
    events.paid_revenue - events.payout AS event_margin
FROM (SELECT id AS offer_id, * EXCLUDE (id) FROM main.offers) AS offers
FULL JOIN imported USING (offer_id)
FULL JOIN events USING (offer_id)
CROSS JOIN known
