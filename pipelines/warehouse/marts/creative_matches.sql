-- Texts are compared with masked links and single spaces. Similar texts do not match.
WITH
creatives AS (
    SELECT
        id,
        name,
        status,
        trim(regexp_replace(regexp_replace(message, '\{\{\s*link\d+\s*\}\}', chr(1), 'g'), '\s+', ' ', 'g')) AS text
    FROM main.creatives
),
counted AS (
    SELECT *, count(*) OVER (PARTITION BY text) AS same_text FROM creatives
),
sends AS (
    SELECT DISTINCT
        message_id,
        trim(
            regexp_replace(
                regexp_replace(message, '(?i)\b(https?://)?([a-z0-9-]+\.)+[a-z]{2,}(:\d+)?/[^\s]*[^\s.,;:!?)]', chr(1), 'g'),
                '\s+', ' ', 'g'
            )
        ) AS text
    FROM imports.records
    WHERE dataset = 'sends' AND message IS NOT NULL
        AND (outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0) OR code = 'sent_before')
),
matched AS (
    SELECT id, count(*) AS sends, sum(is_clicked::INTEGER) AS clicks, sum(revenue) AS revenue
    FROM counted
    JOIN sends USING (text)
    JOIN marts.imported_messages USING (message_id)
    WHERE same_text = 1
    GROUP BY id
)
SELECT
    counted.id AS creative_id,
    name AS creative_name,
    status,
    same_text,
    sends AS sends_matched_by_text,
    clicks AS clicks_matched_by_text,
    revenue AS revenue_matched_by_text
FROM counted LEFT JOIN matched ON matched.id = counted.id
