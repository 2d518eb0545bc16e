-- What is not known stays null, and the last column says what it is. Days are named in the vendor's examples; seven values
-- without names are taken in the order that the vendor lists them: monday first.
WITH
running AS (SELECT * FROM main.schedules WHERE status = 'on'),
weekdays AS (
    SELECT
        id,
        CASE json_type(days_of_week)
            WHEN 'ARRAY' THEN
                CASE WHEN json_array_length(days_of_week) = 7 THEN json_extract_string(
                    days_of_week, ['$[0]', '$[1]', '$[2]', '$[3]', '$[4]', '$[5]', '$[6]']
                ) END
            WHEN 'OBJECT' THEN
                CASE WHEN len(json_keys(days_of_week)) = 7 THEN json_extract_string(
                    days_of_week,
                    ['$.monday', '$.tuesday', '$.wednesday', '$.thursday', '$.friday', '$.saturday', '$.sunday']
                ) END
        END AS given,
        -- a day that is missing, or neither true nor false, makes all of them unknown
        CASE WHEN regexp_full_match(array_to_string(given, ' '), '((true|false) ){6}(true|false)') THEN given END AS on_day
    FROM running
),
days AS (
    SELECT day::DATE AS day, isodow(day) AS weekday
    FROM (SELECT unnest(range(marts.utc_day(now()), marts.utc_day(now()) + INTERVAL 92 DAY, INTERVAL 1 DAY)) AS day)
),
runs AS (
    SELECT id, day
    FROM running JOIN weekdays USING (id) JOIN days
        ON CASE
            WHEN is_repeating THEN
                on_day[weekday] = 'true'
                AND (start_date IS NULL OR day >= marts.utc_day(start_date))
                AND (end_date IS NULL OR day <= marts.utc_day(end_date))
            ELSE day = marts.utc_day(send_date)
        END
    UNION ALL
    SELECT id, NULL
    FROM running JOIN weekdays USING (id)
    WHERE is_repeating IS NULL
        OR (
            is_repeating AND on_day IS NULL
            AND (start_date IS NULL OR marts.utc_day(start_date) < marts.utc_day(now()) + INTERVAL 92 DAY)
            AND (end_date IS NULL OR marts.utc_day(end_date) >= marts.utc_day(now()))
        )
        OR (NOT is_repeating AND send_date IS NULL)
),
sizes AS (
    SELECT
        id,
        count(*) AS audiences,
        CASE WHEN count(size) = count(*) THEN sum(size) END AS messages,
        CASE WHEN count(counted_at) = count(*) THEN min(counted_at) END AS sized_at,
        CASE WHEN bool_or(narrowed AND is_by_account) AND count(size) = count(*)
            THEN 'source_lists narrow an audience that we cannot count; its cached_size is of all its lists' END
            AS upper_bound
    FROM (
        SELECT
            schedule_id AS id,
            narrowed,
            NOT narrowed OR people_wide IS NULL AS is_by_account,
            CASE WHEN is_by_account THEN cached_size ELSE people_wide END AS size,
            CASE WHEN is_by_account THEN cached_size_updated_at ELSE contacts_as_of END AS counted_at
        FROM marts.schedule_reach
    )
    GROUP BY id
),
texts AS (
    SELECT
        schedule_id AS id,
        CASE
            WHEN count(segments) = count(*) AND abs(sum(percent_audience) - 100) < 0.01
                THEN sum(percent_audience * segments) / 100
        END AS segments_per_message
    FROM main.schedule_blasts JOIN marts.message_segments
        ON subject = 'schedules' AND subject_id = schedule_id
        AND message_segments.position = schedule_blasts.position
    GROUP BY schedule_id
),
settings AS (SELECT max(price_per_segment) AS price FROM sync.campaign_settings),
known AS (
    SELECT
        running.*,
        day,
        coalesce(sizes.audiences, 0) AS used_audiences,
        messages,
        sized_at,
        upper_bound,
        CASE WHEN send_type = 'blast' AND NOT coalesce(is_mms, false) THEN segments_per_message END AS per_message,
        price
    FROM runs
    JOIN running USING (id)
    LEFT JOIN sizes USING (id)
    LEFT JOIN texts USING (id)
    CROSS JOIN settings
)
SELECT
    id AS schedule_id,
    name AS schedule_name,
    day,
    send_time,
    use_local_time,
    used_audiences AS audiences,
    messages,
    sized_at,
    upper_bound,
    per_message AS segments_per_message,
    messages * per_message AS segments,
    round(messages * per_message * price, 4) AS cost,
    nullif(
        concat_ws(
            '; ',
            CASE WHEN day IS NULL THEN 'on which days it runs' END,
            CASE WHEN used_audiences = 0 THEN 'whom it is sent to'
                WHEN messages IS NULL THEN 'the size of an audience' END,
            CASE WHEN coalesce(is_mms, false) THEN 'what an MMS costs'
                WHEN send_type IS DISTINCT FROM 'blast' THEN 'which creative each contact gets'
                WHEN per_message IS NULL THEN 'the shares or texts of its variants' END,
            CASE WHEN price IS NULL THEN 'the price of a segment (TRACKLY_PRICE_PER_SEGMENT)' END
        ),
        ''
    ) AS unknown
FROM known
