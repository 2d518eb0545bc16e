-- Contacts by the month in which they joined, the last 24 of them; the row without a month has no sign-up date.
SELECT
    month, contacts, active / contacts AS active_share, clicked_share,
    converted / contacts AS converted_share, revenue, revenue / contacts AS revenue_per_contact
FROM marts.engagement_cohorts
WHERE contacts > 0
ORDER BY month DESC NULLS LAST
LIMIT 24
