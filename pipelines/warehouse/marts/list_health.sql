WITH
newest AS (SELECT max(synced_at) AS as_of FROM main.contacts),
counted AS (
    SELECT
        list_id,
        count(*) AS contacts,
        count(*) FILTER (WHERE active) AS active,
        count(*) FILTER (WHERE active AND is_valid IS DISTINCT FROM false) AS reachable,
        count(*) FILTER (WHERE active AND send_count = 0) AS never_sent,
        count(*) FILTER (WHERE last_clicked_at > as_of - INTERVAL 30 DAY) AS clicked_30d,
        count(*) FILTER (WHERE signup_date > as_of - INTERVAL 7 DAY) AS signups_7d,
        count(*) FILTER (WHERE signup_date > as_of - INTERVAL 30 DAY) AS signups_30d,
        sum(send_count) AS sends,
        sum(click_count) AS clicks,
        sum(conversion_count) AS conversions,
        sum(revenue_total) AS revenue
    FROM main.contacts CROSS JOIN newest
    GROUP BY list_id
)
SELECT
    coalesce(lists.id, counted.list_id) AS list_id,
    list_name,
    brand_name,
    status,
    coalesce(contacts, 0) AS contacts,
    coalesce(active, 0) AS active,
    coalesce(reachable, 0) AS reachable,
    active / contacts AS active_share,
    coalesce(never_sent, 0) AS never_sent,
    coalesce(clicked_30d, 0) AS clicked_30d,
    coalesce(signups_7d, 0) AS signups_7d,
    coalesce(signups_30d, 0) AS signups_30d,
    coalesce(sends, 0) AS sends,
    coalesce(clicks, 0) AS clicks,
    clicks / nullif(sends, 0) AS click_rate,
    coalesce(conversions, 0) AS conversions,
    coalesce(revenue, 0) AS revenue,
    revenue / contacts AS revenue_per_contact,
    as_of
FROM main.lists FULL JOIN counted ON counted.list_id = lists.id CROSS JOIN newest
