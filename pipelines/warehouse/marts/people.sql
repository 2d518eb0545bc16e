WITH
pulled AS (
    SELECT
        as_of,
        as_of - INTERVAL 7 DAY AS week_ago,
        as_of - INTERVAL 30 DAY AS month_ago
    FROM (SELECT max(synced_at) AS as_of FROM main.contacts)
),
taken_in AS (
    SELECT dataset, message_id, phone_number, happened_at, "at" AS answered_at, revenue
    FROM imports.records
    WHERE outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0)
),
-- Revenue names its send only; also a send that was in the account before us says who got it.
recipients AS (
    SELECT message_id, any_value(phone_number) AS recipient
    FROM imports.records
    WHERE dataset = 'sends' AND phone_number IS NOT NULL
    GROUP BY message_id
),
imported AS (
    SELECT
        coalesce(phone_number, recipient) AS phone_number,
        min(happened_at) AS first_at,
        max(happened_at) AS last_at,
        -- what was imported after the contacts were read is not in their totals yet
        sum(revenue) FILTER (WHERE answered_at <= as_of) AS revenue,
        count(*) FILTER (WHERE dataset = 'sends' AND happened_at <= week_ago AND answered_at > week_ago AND answered_at <= as_of)
            AS older_than_week,
        count(*) FILTER (WHERE dataset = 'sends' AND happened_at <= month_ago AND answered_at > month_ago AND answered_at <= as_of)
            AS older_than_month
    FROM taken_in LEFT JOIN recipients USING (message_id) CROSS JOIN pulled
    GROUP BY ALL
),
week_before AS (
    SELECT phone_number, list_id, send_count
    FROM main.contacts_history CROSS JOIN pulled
    WHERE valid_from <= week_ago AND (valid_to IS NULL OR valid_to > week_ago)
),
month_before AS (
    SELECT phone_number, list_id, send_count
    FROM main.contacts_history CROSS JOIN pulled
    WHERE valid_from <= month_ago AND (valid_to IS NULL OR valid_to > month_ago)
),
contacts AS (
    SELECT
        contacts.*,
        CASE
            WHEN contacts.send_count = 0 OR last_sent_at <= week_ago THEN 0
            WHEN signup_date > week_ago THEN contacts.send_count
            ELSE contacts.send_count - week_before.send_count
        END AS sends_7d,
        CASE
            WHEN contacts.send_count = 0 OR last_sent_at <= month_ago THEN 0
            WHEN signup_date > month_ago THEN contacts.send_count
            ELSE contacts.send_count - month_before.send_count
        END AS sends_30d
    FROM main.contacts CROSS JOIN pulled
    LEFT JOIN week_before USING (phone_number, list_id)
    LEFT JOIN month_before USING (phone_number, list_id)
),
people AS (
    SELECT
        phone_number,
        count(*) AS lists,
        count(*) FILTER (WHERE active) AS active_lists,
        to_json(list(list_id ORDER BY list_id)) AS list_ids,
        min(signup_date) AS first_signup_at,
        max(last_sent_at) AS last_sent_at,
        max(last_clicked_at) AS last_clicked_at,
        max(last_revenue_at) AS last_revenue_at,
        sum(send_count) AS sends,
        sum(click_count) AS clicks,
        sum(conversion_count) AS conversions,
        sum(revenue_total) AS revenue,
        -- one list of which it is not known leaves the person's figure unknown
        CASE WHEN count(sends_7d) = count(*) THEN sum(sends_7d) END AS sends_7d,
        CASE WHEN count(sends_30d) = count(*) THEN sum(sends_30d) END AS sends_30d
    FROM contacts
    GROUP BY phone_number
)
SELECT
    phone_number,
    lists,
    active_lists,
    list_ids,
    first_signup_at,
    least(first_signup_at, imported.first_at) AS first_touch_at,
    greatest(last_sent_at, last_clicked_at, last_revenue_at, imported.last_at) AS last_touch_at,
    last_sent_at,
    last_clicked_at,
    last_revenue_at,
    sends,
    clicks,
    conversions,
    people.revenue,
    coalesce(imported.revenue, 0) AS imported_revenue,
    people.revenue - coalesce(imported.revenue, 0) AS organic_revenue,
    -- older sends that were imported in these days were not sent in them
    CASE WHEN sends_7d IS NOT NULL THEN greatest(sends_7d - coalesce(older_than_week, 0), 0) END AS sends_7d,
    CASE WHEN sends_30d IS NOT NULL THEN greatest(sends_30d - coalesce(older_than_month, 0), 0) END AS sends_30d
FROM people LEFT JOIN imported USING (phone_number)
