WITH
-- A list number stands for one list that is not deleted, or for none that is known.
numbers AS (
    SELECT phone_number AS list_number, min(id) AS numbered
    FROM main.lists
    WHERE status IS DISTINCT FROM 'deleted'
    GROUP BY phone_number
    HAVING count(*) = 1
),
taken_in AS (
    SELECT * EXCLUDE (list_id), coalesce(list_id, numbered) AS list_id
    FROM imports.records LEFT JOIN numbers USING (list_number)
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
