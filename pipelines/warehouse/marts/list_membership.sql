WITH
began AS (SELECT max(began_at) AS began_at FROM sync.history_began WHERE dataset = 'contacts'),
-- Contacts that have never changed have one version, the first one, and need no comparison.
unchanged AS (FROM main.contacts ANTI JOIN sync.contacts_since USING (phone_number, list_id)),
-- Nearly all others were always, or never, active in one stay: only their totals changed. They need no comparison either.
moved AS (
    SELECT DISTINCT phone_number, list_id
    FROM sync.contacts_ended AS ended LEFT JOIN main.contacts AS present USING (phone_number, list_id)
    WHERE ended.removed_at IS NOT NULL
        OR present.synced_at IS NULL
        OR ended.active IS DISTINCT FROM present.active
        OR ended.signup_date IS DISTINCT FROM present.signup_date
),
steady AS (
    SELECT phone_number, list_id, active, signup_date, coalesce(first_from, valid_from) AS since
    FROM main.contacts
    JOIN sync.contacts_since USING (phone_number, list_id)
    ANTI JOIN moved USING (phone_number, list_id)
    LEFT JOIN (
        SELECT phone_number, list_id, min(valid_from) AS first_from
        FROM sync.contacts_ended GROUP BY phone_number, list_id
    ) USING (phone_number, list_id)
),
versions AS (
    SELECT phone_number, list_id, active, signup_date, valid_from, removed_at
    FROM sync.contacts_ended SEMI JOIN moved USING (phone_number, list_id)
    UNION ALL
    SELECT phone_number, list_id, active, signup_date, valid_from, NULL
    FROM main.contacts
    JOIN sync.contacts_since USING (phone_number, list_id)
    SEMI JOIN moved USING (phone_number, list_id)
),
compared AS (
    SELECT
        *,
        lag(active) OVER versions_of_contact AS was_active,
        max(signup_date) OVER earlier_versions AS joined_before,
        lag(removed_at) OVER versions_of_contact AS was_removed_at
    FROM versions
    WINDOW
        versions_of_contact AS (PARTITION BY phone_number, list_id ORDER BY valid_from),
        earlier_versions AS (
            PARTITION BY phone_number, list_id ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
),
turns AS (
    SELECT
        * EXCLUDE (was_active, was_removed_at, joined_before),
        CASE
            WHEN was_active IS NULL THEN CASE WHEN valid_from = began_at THEN 'opening' ELSE 'new' END
            -- with a later sign-up, it has left and come back, although no pull saw it absent
            WHEN was_removed_at IS NOT NULL OR signup_date > joined_before THEN 'returned'
            WHEN active AND NOT was_active THEN 'reactivated'
            WHEN was_active AND NOT active THEN 'opted_out'
        END AS started_by
    FROM compared CROSS JOIN began
),
-- A removal or another sign-up ends a stay; a change of active also ends a stretch.
numbered AS (
    SELECT
        *,
        count(*) FILTER (WHERE started_by = 'returned') OVER so_far AS stay,
        count(started_by) OVER so_far AS stretch
    FROM turns
    WINDOW so_far AS (PARTITION BY phone_number, list_id ORDER BY valid_from)
),
stretches AS (
    SELECT
        phone_number,
        list_id,
        stay,
        min(valid_from) AS since,
        max(removed_at) AS removed_at,
        any_value(active) AS active,
        arg_max(signup_date, valid_from) AS signup_date,
        any_value(started_by) AS started_by
    FROM numbered
    GROUP BY phone_number, list_id, stay, stretch
)
SELECT
    phone_number, list_id, active, signup_date, began_at AS since, 'opening' AS started_by,
    NULL AS until, false AS removed, NULL::BOOLEAN AS active_again
FROM unchanged CROSS JOIN began
UNION ALL
SELECT
    phone_number, list_id, active, signup_date, since,
    CASE WHEN since = began_at THEN 'opening' ELSE 'new' END,
    NULL, false, NULL
FROM steady CROSS JOIN began
UNION ALL
SELECT
    phone_number,
    list_id,
    active,
    last_value(signup_date) OVER (
        PARTITION BY phone_number, list_id, stay ORDER BY since
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ),
    since,
    started_by,
    coalesce(removed_at, lead(since) OVER next_stretch),
    removed_at IS NOT NULL OR coalesce(lead(started_by) OVER next_stretch = 'returned', false),
    CASE WHEN removed_at IS NULL AND lead(started_by) OVER next_stretch = 'returned' THEN lead(active) OVER next_stretch END
FROM stretches
WINDOW next_stretch AS (PARTITION BY phone_number, list_id ORDER BY since)
