WITH
groups AS (
    SELECT
        list_id,
        carrier,
        line_type,
        timezone,
        signup_method,
        is_valid::VARCHAR AS is_valid,
        count(*) AS contacts,
        count(*) FILTER (WHERE active) AS active,
        sum(send_count) AS sends,
        sum(click_count) AS clicks,
        sum(conversion_count) AS conversions,
        sum(revenue_total) AS revenue
    FROM main.contacts
    GROUP BY ALL
),
attributes AS (
    SELECT
        list_id,
        CASE
            WHEN grouping(carrier) = 0 THEN 'carrier'
            WHEN grouping(line_type) = 0 THEN 'line_type'
            WHEN grouping(timezone) = 0 THEN 'timezone'
            WHEN grouping(signup_method) = 0 THEN 'signup_method'
            ELSE 'is_valid'
        END AS attribute,
        -- of the five only the one that is grouped by is not null
        coalesce(carrier, line_type, timezone, signup_method, CASE WHEN attribute = 'is_valid' THEN is_valid END)
            AS value,
        sum(contacts) AS contacts,
        sum(active) AS active,
        coalesce(sum(contacts) FILTER (WHERE not_valid), 0) AS invalid,
        sum(sends) AS sends,
        sum(clicks) AS clicks,
        sum(conversions) AS conversions,
        sum(revenue) AS revenue
    FROM (SELECT *, is_valid = 'false' AS not_valid FROM groups)
    GROUP BY GROUPING SETS (
        (list_id, carrier), (list_id, line_type), (list_id, timezone), (list_id, signup_method), (list_id, is_valid)
    )
)
SELECT
    attributes.list_id,
    list_name,
    attribute,
    value,
    contacts,
    contacts / sum(contacts) OVER (PARTITION BY attributes.list_id, attribute) AS share,
    active,
    contacts - active AS opted_out,
    invalid,
    sends,
    clicks,
    conversions,
    revenue,
    clicks / nullif(sends, 0) AS click_rate,
    revenue / contacts AS revenue_per_contact
FROM attributes LEFT JOIN main.lists ON lists.id = attributes.list_id
