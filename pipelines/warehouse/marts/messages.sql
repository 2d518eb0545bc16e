-- The state of a message is its newest final state, else its newest state; the order of arrival does not matter.
WITH
reported AS (
    SELECT
        *,
        coalesce("to", phone_number) AS phone,
        CASE
            WHEN status IN ('delivered', 'undeliverable', 'expired', 'rejected', 'failed') THEN 2
            WHEN status = 'pending' THEN 0
            WHEN status IS NULL THEN -1
            ELSE 1
        END AS rank
    FROM main.webhook_events
    WHERE event IN ('delivery', 'sent') AND message_id IS NOT NULL
),
states AS (
    SELECT message_id, status, rank = 2 AS is_final, status_detail, provider, timestamp AS status_at
    FROM reported
    QUALIFY row_number() OVER (
        PARTITION BY message_id
        ORDER BY
            rank DESC, timestamp DESC NULLS LAST, status NULLS LAST, status_detail NULLS LAST, provider NULLS LAST,
            digest, position
    ) = 1
),
totals AS (
    SELECT
        message_id,
        max(phone) AS phone_number,
        max(list_number) AS list_number,
        min(timestamp) AS first_at,
        min(timestamp) FILTER (event = 'sent') AS sent_at,
        min(timestamp) FILTER (status = 'delivered') AS delivered_at,
        count(*) FILTER (event = 'delivery') AS deliveries,
        count(*) AS bodies,
        coalesce(sum(repeats), 0) AS repeats,
        count(happening) - count(DISTINCT happening) AS disagreements
    FROM reported
    GROUP BY message_id
),
imported AS (
    SELECT message_id, min(happened_at) AS happened_at
    FROM imports.records
    WHERE dataset = 'sends' AND (outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0) OR code = 'sent_before')
    GROUP BY message_id
)
SELECT
    totals.* EXCLUDE (sent_at, deliveries),
    marts.list_of(list_number) AS list_id,
    status,
    is_final,
    status_detail,
    provider,
    status_at,
    CASE
        WHEN status = 'delivered' THEN CASE status_detail WHEN 'DELIVERED_TO_OPERATOR' THEN 'no_receipt' ELSE 'delivered' END
        WHEN is_final THEN 'failed'
        WHEN status = 'pending' THEN 'pending'
        WHEN deliveries = 0 THEN 'no_receipt'
        ELSE 'other'
    END AS outcome,
    coalesce(sent_at, happened_at) AS sent_at,
    CASE
        WHEN delivered_at >= coalesce(sent_at, happened_at) THEN epoch(delivered_at) - epoch(coalesce(sent_at, happened_at))
    END AS seconds_to_delivery
FROM totals
JOIN states USING (message_id)
LEFT JOIN imported USING (message_id)
