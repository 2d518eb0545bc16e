-- Active contacts that joined and left, by month, over all lists, as pulls saw them.
SELECT
    month, sum(new) AS new, sum(returned) AS returned, sum(reactivated) AS reactivated,
    sum(opted_out) AS opted_out, sum(removed) AS removed,
    sum(net) AS net
FROM marts.list_churn_monthly
GROUP BY month
HAVING sum(new) + sum(reactivated) + sum(opted_out) + sum(removed) > 0
ORDER BY month DESC
LIMIT 24
