-- What is not known stays null, and the last column says what it is. Days are named in the vendor's examples; seven values
-- without names are taken in the order that the vendor lists them: monday first.
WITH
running AS (SELECT * FROM main.schedules WHERE status = 'on'),
days AS (
    SELECT day::DATE AS day, '$.' || lower(dayname(day)) AS by_name, '$[' || (isodow(day) - 1) || ']' AS by_place
    FROM (SELECT unnest(range(marts.utc_day(now()), marts.utc_day(now()) + INTERVAL 92 DAY, INTERVAL 1 DAY)) AS day)
),
runs AS (
    SELECT id, day
    FROM running JOIN days
        ON CASE
            WHEN is_repeating THEN
                json_extract_string(
                    days_of_week, CASE json_array_length(days_of_week) WHEN 7 THEN by_place ELSE by_name END
                ) = 'true'
                AND (start_date IS NULL OR day >= marts.utc_day(start_date))
                AND (end_date IS NULL OR day <= marts.utc_day(end_date))
            ELSE day = marts.utc_day(send_date)
        END
    UNION ALL
    SELECT id, NULL
    FROM running
    WHERE is_repeating IS NULL
        OR (
            is_repeating AND json_type(days_of_week) IS DISTINCT FROM 'OBJECT'
            AND coalesce(json_array_length(days_of_week), 0) <> 7
        )
        OR (NOT is_repeating AND send_date IS NULL)
),
sizes AS (
    SELECT
        used.id,
        count(*) AS audiences,
        CASE WHEN count(cached_size) = count(*) THEN sum(cached_size) END AS messages,
        CASE WHEN count(cached_size_updated_at) = count(*) THEN min(cached_size_updated_at) END AS sized_at
    FROM (SELECT id, unnest(list_distinct(audiences)) AS audience_id FROM running) AS used
    LEFT JOIN main.audiences ON audiences.id = audience_id
    GROUP BY used.id
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
