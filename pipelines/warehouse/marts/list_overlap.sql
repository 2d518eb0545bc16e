WITH
sizes AS (SELECT list_id, count(*) AS contacts FROM main.contacts GROUP BY list_id),
-- most people are on one list only, and in no pair
several AS (
    SELECT phone_number, list_id, active
    FROM main.contacts
    SEMI JOIN (SELECT phone_number FROM main.contacts GROUP BY phone_number HAVING count(*) > 1)
        USING (phone_number)
),
pairs AS (
    SELECT
        one.list_id,
        other.list_id AS other_list_id,
        count(*) AS people,
        count(*) FILTER (WHERE one.active AND other.active) AS active
    FROM several AS one JOIN several AS other USING (phone_number)
    WHERE one.list_id < other.list_id
    GROUP BY one.list_id, other.list_id
)
SELECT
    pairs.list_id,
    lists.list_name,
    other_list_id,
    other_lists.list_name AS other_list_name,
    people,
    active,
    people / sizes.contacts AS share_of_list,
    people / other_sizes.contacts AS share_of_other
FROM pairs
JOIN sizes USING (list_id)
JOIN sizes AS other_sizes ON other_sizes.list_id = other_list_id
LEFT JOIN main.lists ON lists.id = pairs.list_id
LEFT JOIN main.lists AS other_lists ON other_lists.id = other_list_id
