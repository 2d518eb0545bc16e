WITH
earned AS (
    SELECT
        CASE
            WHEN source = 'events' THEN 'event'
            WHEN since IS NULL THEN 'opening'
            ELSE 'change'
        END AS basis,
        CASE WHEN basis <> 'opening' THEN marts.utc_day(timestamp) END AS day,
        list_id,
        offer_id,
        revenue,
        CASE WHEN basis = 'event' THEN 1 ELSE coalesce(conversion_count, 0) END AS conversions,
        payout
    FROM main.revenue
),
days AS (
    SELECT
        day,
        basis,
        list_id,
        offer_id,
        sum(revenue) AS revenue,
        sum(conversions) AS conversions,
        sum(payout) AS payout
    FROM earned
    GROUP BY ALL
)
SELECT
    day,
    basis,
    days.list_id,
    list_name,
    offer_id,
    offers.name AS offer_name,
    revenue,
    conversions,
    days.payout
FROM days
LEFT JOIN main.lists ON lists.id = days.list_id
LEFT JOIN main.offers ON offers.id = days.offer_id
