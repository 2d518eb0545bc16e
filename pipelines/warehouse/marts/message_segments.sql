WITH
texts AS (
    SELECT
        'creatives' AS subject, id::VARCHAR AS subject_id, NULL AS position, name, NULL AS variant_name, status,
        message, segment_count AS estimate, false AS is_mms
    FROM main.creatives
    UNION ALL
    SELECT
        'schedules', schedule_id, position, name, variant_name, status,
        message, NULL, coalesce(is_mms, false)
    FROM main.schedule_blasts JOIN main.schedules ON schedules.id = schedule_id
),
-- an MMS has no segments
sent AS (SELECT *, CASE WHEN NOT is_mms THEN marts.sms_as_sent(message) END AS text FROM texts),
sizes AS (
    SELECT
        * REPLACE (coalesce(estimate, CASE WHEN subject = 'schedules' THEN marts.sms_estimate(text) END) AS estimate),
        marts.sms_segments(text) AS segments
    FROM sent
)
SELECT
    *,
    marts.sms_encoding(text) AS encoding,
    marts.sms_units(text) AS units,
    CASE WHEN segments > estimate THEN segments - estimate WHEN segments <= estimate THEN 0 END AS extra_segments,
    nullif(marts.sms_outside(text), '') AS outside_gsm7
FROM sizes
