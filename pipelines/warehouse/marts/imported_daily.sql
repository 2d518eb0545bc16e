SELECT
    day,
    list_id,
    any_value(list_name) AS list_name,
    offer_id,
    any_value(offers.name) AS offer_name,
    count(*) FILTER (WHERE dataset = 'sends') AS sends,
    count(*) FILTER (WHERE dataset = 'clicks') AS clicks,
    count(*) FILTER (WHERE dataset = 'revenue') AS conversions,
    sum(revenue) AS revenue,
    sum(activity.payout) AS payout
FROM marts.imported_activity AS activity
LEFT JOIN main.lists ON lists.id = list_id
LEFT JOIN main.offers ON offers.id = offer_id
GROUP BY day, list_id, offer_id
