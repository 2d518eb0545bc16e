-- Of those who joined in a month, over all lists: the share that received messages at an age in months.
WITH
ages AS (
    SELECT month, age, sum(active) / sum(contacts) AS share, max(contacts_of_month) AS contacts, bool_and(complete) AS complete
    FROM (SELECT *, sum(contacts) OVER (PARTITION BY month, age) AS contacts_of_month FROM marts.retention)
    GROUP BY month, age
)
SELECT
    month,
    max(contacts) AS contacts,
    bool_and(complete) AS complete,
    max(share) FILTER (WHERE age = 0) AS at_0,
    max(share) FILTER (WHERE age = 1) AS at_1,
    max(share) FILTER (WHERE age = 3) AS at_3,
    max(share) FILTER (WHERE age = 6) AS at_6,
    max(share) FILTER (WHERE age = 12) AS at_12,
    arg_max(share, age) AS latest
FROM ages
GROUP BY month
ORDER BY month DESC
LIMIT 24
