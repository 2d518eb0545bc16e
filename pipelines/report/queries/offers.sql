-- The offers with the most revenue; of_offers says how many there are. Events of the account include what was imported.
WITH
paid AS (
    SELECT
        offer_id,
        offer_name,
        status,
        clicks,
        coalesce(event_conversions, conversions) AS conversions,
        coalesce(event_revenue, revenue) AS revenue,
        CASE WHEN event_revenue IS NULL THEN payout ELSE event_payout END AS payout,
        CASE WHEN event_revenue IS NULL THEN margin ELSE event_margin END AS margin,
        epc
    FROM marts.offer_performance
)
-- A margin covers only revenue with a known payout, which may be a part of it.
SELECT *, margin + payout AS paid_revenue, count(*) OVER () AS of_offers
FROM paid
ORDER BY revenue DESC NULLS LAST, clicks DESC NULLS LAST, offer_id
LIMIT 20
