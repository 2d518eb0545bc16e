WITH
taken_in AS (
    SELECT * EXCLUDE (list_id), coalesce(list_id, marts.list_of(list_number)) AS list_id
    FROM imports.records
    WHERE outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0) OR code = 'sent_before'
),
sends AS (SELECT message_id, list_id, phone_number, send_type FROM taken_in WHERE dataset = 'sends')
SELECT
    dataset,
    message_id,
    happened_at,
    marts.utc_day(happened_at) AS day,
    coalesce(taken_in.list_id, sends.list_id) AS list_id,
    offer_id,
    revenue,
    payout,
    coalesce(taken_in.phone_number, sends.phone_number) AS phone_number,
    coalesce(taken_in.send_type, sends.send_type) AS send_type,
    delivered,
    length,
    send_timestamp,
    attribution_type
FROM taken_in LEFT JOIN sends USING (message_id)
