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
    WHERE outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0) OR code = 'sent_before'
),
-- Revenue names only its send. A row that is held back, or a repeat, does not show who got the message.
recipients AS (
    SELECT message_id, any_value(phone_number) AS recipient
    FROM taken_in
    WHERE dataset = 'sends' AND phone_number IS NOT NULL
    GROUP BY message_id
),
imported AS (
    SELECT
        coalesce(phone_number, recipient) AS phone_number,
        min(happened_at) AS first_at,
        max(happened_at) AS last_at,
        -- rows imported after the contacts were read are not in their totals yet
        sum(revenue) FILTER (WHERE answered_at <= as_of) AS revenue,
        count(*) FILTER (WHERE dataset = 'sends' AND happened_at <= week_ago AND answered_at > week_ago AND answered_at <= as_of)
            AS older_than_week,
        count(*) FILTER (WHERE dataset = 'sends' AND happened_at <= month_ago AND answered_at > month_ago AND answered_at <= as_of)
            AS older_than_month
    FROM taken_in LEFT JOIN recipients USING (message_id) CROSS JOIN pulled
    GROUP BY ALL
),
-- Contacts that have never changed have one version, and it is the first: their counter has not grown since.
unchanged AS (
    SELECT
        phone_number, send_count, signup_date, last_sent_at, send_count = 0 AS no_sends,
        (SELECT max(began_at) FROM sync.history_began WHERE dataset = 'contacts') AS began_at
    FROM main.contacts ANTI JOIN sync.contacts_since USING (phone_number, list_id)
),
versions AS (
    SELECT phone_number, list_id, send_count, signup_date, last_sent_at, valid_from, valid_to
    FROM sync.contacts_ended
    UNION ALL
    SELECT phone_number, list_id, send_count, signup_date, last_sent_at, valid_from, NULL
    FROM main.contacts JOIN sync.contacts_since USING (phone_number, list_id)
),
compared AS (
    SELECT *, max(signup_date) OVER earlier_versions AS joined_before
    FROM versions
    WINDOW earlier_versions AS (
        PARTITION BY phone_number, list_id ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
numbered AS (
    SELECT
        *,
        count(*) FILTER (WHERE signup_date > joined_before) OVER (
            PARTITION BY phone_number, list_id ORDER BY valid_from
        ) AS signup
    FROM compared
),
-- A counter begins with each sign-up, and grows from version to version of it, also where the contact has gone since.
grown AS (
    SELECT
        *,
        lag(send_count) OVER versions_of_signup AS count_before,
        lag(valid_to) OVER versions_of_signup AS seen_before,
        -- the first counter seen is known only if nothing was sent in that time
        CASE WHEN count_before IS NULL THEN max(last_sent_at) OVER (PARTITION BY phone_number, list_id, signup) ELSE last_sent_at END
            AS sent_at
    FROM numbered
    WINDOW versions_of_signup AS (PARTITION BY phone_number, list_id, signup ORDER BY valid_from)
),
counted AS (
    SELECT
        phone_number,
        CASE
            WHEN no_sends OR last_sent_at <= week_ago THEN 0
            WHEN signup_date > week_ago THEN send_count
            WHEN began_at <= week_ago THEN 0
        END AS sends_7d,
        CASE
            WHEN no_sends OR last_sent_at <= month_ago THEN 0
            WHEN signup_date > month_ago THEN send_count
            WHEN began_at <= month_ago THEN 0
        END AS sends_30d
    FROM unchanged CROSS JOIN pulled
    UNION ALL
    SELECT
        phone_number,
        CASE
            WHEN valid_from <= week_ago OR send_count <= coalesce(count_before, 0) OR sent_at <= week_ago THEN 0
            WHEN seen_before >= week_ago OR (seen_before IS NULL AND signup_date > week_ago)
                THEN send_count - coalesce(count_before, 0)
        END,
        CASE
            WHEN valid_from <= month_ago OR send_count <= coalesce(count_before, 0) OR sent_at <= month_ago THEN 0
            WHEN seen_before >= month_ago OR (seen_before IS NULL AND signup_date > month_ago)
                THEN send_count - coalesce(count_before, 0)
        END
    FROM grown CROSS JOIN pulled
),
recent AS (
    SELECT
        phone_number,
        -- if it is unknown for one list, the person's figure is unknown
        CASE WHEN count(sends_7d) = count(*) THEN sum(sends_7d) END AS sends_7d,
        CASE WHEN count(sends_30d) = count(*) THEN sum(sends_30d) END AS sends_30d
    FROM counted
    GROUP BY phone_number
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
        sum(revenue_total) AS revenue
    FROM main.contacts
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
    -- older sends that were imported in these days do not count
    CASE WHEN sends_7d IS NOT NULL THEN greatest(sends_7d - coalesce(older_than_week, 0), 0) END AS sends_7d,
    CASE WHEN sends_30d IS NOT NULL THEN greatest(sends_30d - coalesce(older_than_month, 0), 0) END AS sends_30d
FROM people LEFT JOIN recent USING (phone_number) LEFT JOIN imported USING (phone_number)
