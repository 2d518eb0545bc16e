SELECT
    date_trunc('month', day)::DATE AS month,
    list_id,
    any_value(list_name) AS list_name,
    sum(signups) AS signups,
    sum(removed) AS removed,
    arg_max(contacts, coalesce(day, DATE '0001-01-01')) AS contacts
FROM marts.list_growth
GROUP BY month, list_id
