-- The vendor does not document the fields of a reply, so text and sender are searched under the usual names.
WITH
reported AS (
    SELECT
        coalesce(timestamp, received_at) AS written_at,
        coalesce(phone_number, json_extract_string(extra, '$.from'), json_extract_string(extra, '$.from_number'))
            AS phone_number,
        coalesce(list_number, "to") AS list_number,
        message_id,
        coalesce(
            json_extract_string(extra, '$.text'), json_extract_string(extra, '$.body'),
            json_extract_string(extra, '$.message'), json_extract_string(extra, '$.content'), keyword
        ) AS text,
        verified,
        repeats,
        digest,
        position,
        coalesce(happening, digest || position) AS happening
    FROM main.webhook_events
    WHERE event = 'reply'
)
SELECT
    * EXCLUDE (happening, repeats),
    marts.list_of(list_number) AS list_id,
    count(*) OVER (PARTITION BY happening) AS bodies,
    sum(repeats) OVER (PARTITION BY happening) AS repeats
FROM reported
QUALIFY row_number() OVER (PARTITION BY happening ORDER BY digest, position) = 1
