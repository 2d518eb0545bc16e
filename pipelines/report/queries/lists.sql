-- The largest lists; of_lists says how many there are.
SELECT
    list_id, list_name, brand_name, status, contacts, active, reachable, active_share, never_sent, clicked_30d,
    signups_30d, click_rate, revenue, revenue_per_contact, count(*) OVER () AS of_lists
FROM marts.list_health
ORDER BY contacts DESC, list_id
LIMIT 30
