WITH
newest AS (SELECT max(synced_at) AS as_of FROM main.contacts),
cohorts AS (
    SELECT
        date_trunc('month', marts.utc_day(signup_date))::DATE AS month,
        count(*) AS contacts,
        count(*) FILTER (WHERE active) AS active,
        count(*) FILTER (WHERE send_count > 0) AS sent,
        count(*) FILTER (WHERE click_count > 0) AS clicked,
        count(*) FILTER (WHERE click_count > 0 AND send_count > 0) AS sent_and_clicked,
        count(*) FILTER (WHERE conversion_count > 0) AS converted,
        count(*) FILTER (WHERE last_clicked_at > as_of - INTERVAL 30 DAY) AS clicked_30d,
        sum(revenue_total) AS revenue
    FROM main.contacts CROSS JOIN newest
    GROUP BY month
)
SELECT
    *,
    active / contacts AS active_share,
    sent_and_clicked / nullif(sent, 0) AS clicked_share,
    converted / contacts AS converted_share,
    revenue / contacts AS revenue_per_contact
FROM cohorts
