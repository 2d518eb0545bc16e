-- Sums up stretches that begin and end in a month: one row per contact and month would be too many.
WITH
pulls AS (
    SELECT
        began_at,
        as_of,
        date_trunc('month', marts.utc_day(began_at))::DATE AS first_month,
        date_trunc('month', marts.utc_day(as_of))::DATE AS last_month
    FROM
        (SELECT max(began_at) AS began_at FROM sync.history_began WHERE dataset = 'contacts'),
        (SELECT max(synced_at) AS as_of FROM main.contacts)
),
membership AS MATERIALIZED (
    SELECT list_id, phone_number, active, signup_date, since, until, started_by, removed FROM marts.list_membership
),
-- Where a stretch ends as the next sign-up is seen, it was over by then; the next one began with that sign-up.
signed_up_again AS (
    SELECT later.phone_number, later.list_id, later.since, later.signup_date
    FROM membership AS later JOIN membership AS earlier
        ON later.phone_number = earlier.phone_number AND later.list_id = earlier.list_id AND later.since = earlier.until
    WHERE later.started_by = 'returned' AND earlier.removed
),
stretches AS (
    SELECT
        stretch.list_id,
        stretch.phone_number,
        active,
        date_trunc('month', marts.utc_day(stretch.signup_date))::DATE AS month,
        -- a pull sees a new contact some time after it has joined
        CASE
            WHEN started_by = 'new' OR began.since IS NOT NULL THEN least(since, stretch.signup_date)
            ELSE since
        END AS present_from,
        least(until, ended.signup_date) AS present_until,
        date_trunc('month', marts.utc_day(present_from))::DATE AS from_month,
        date_trunc('month', marts.utc_day(present_until))::DATE AS until_month
    FROM membership AS stretch
    LEFT JOIN signed_up_again AS began USING (phone_number, list_id, since)
    LEFT JOIN signed_up_again AS ended
        ON stretch.phone_number = ended.phone_number AND stretch.list_id = ended.list_id AND until = ended.since
    WHERE stretch.signup_date IS NOT NULL
),
cohorts AS (
    SELECT list_id, month, count(DISTINCT phone_number) AS contacts FROM stretches GROUP BY list_id, month
),
months AS (
    SELECT list_id, month, from_month, until_month, count(*) AS on_list, count(*) FILTER (WHERE active) AS active
    FROM stretches
    GROUP BY ALL
),
moves AS (
    SELECT list_id, month, greatest(from_month, month, first_month) AS of_month, on_list, active
    FROM months CROSS JOIN pulls
    UNION ALL
    SELECT list_id, month, greatest(until_month, month, first_month), -on_list, -active
    FROM months CROSS JOIN pulls
    WHERE until_month IS NOT NULL
),
ages AS (
    SELECT
        list_id,
        month,
        contacts,
        unnest(generate_series(greatest(month, first_month), last_month, INTERVAL 1 MONTH))::DATE AS of_month
    FROM cohorts CROSS JOIN pulls
),
counted AS (
    SELECT
        list_id,
        month,
        of_month,
        contacts,
        sum(coalesce(moved.on_list, 0)) OVER up_to_month AS on_list,
        sum(coalesce(moved.active, 0)) OVER up_to_month AS active
    FROM ages LEFT JOIN (
        SELECT list_id, month, of_month, sum(on_list) AS on_list, sum(active) AS active FROM moves GROUP BY ALL
    ) AS moved USING (list_id, month, of_month)
    WINDOW up_to_month AS (PARTITION BY list_id, month ORDER BY of_month)
)
SELECT
    counted.list_id,
    list_name,
    month,
    datediff('month', month, of_month) AS age,
    least(make_timestamptz((epoch_us(of_month + INTERVAL 1 MONTH))), as_of) AS measured_at,
    contacts,
    on_list,
    active,
    contacts - on_list AS gone,
    on_list / contacts AS on_list_share,
    active / contacts AS retention_rate,
    epoch_us(month::TIMESTAMP) > epoch_us(began_at) AS complete
FROM counted CROSS JOIN pulls LEFT JOIN main.lists ON lists.id = counted.list_id
