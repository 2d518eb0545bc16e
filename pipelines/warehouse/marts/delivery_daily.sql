-- What is known of a number: as a contact of the message's own list, else as one of any list. A time zone that is none
-- has no local hour: names are taken from the list of those that DuckDB knows.
WITH
messages AS (SELECT *, coalesce(sent_at, first_at) AS moment FROM marts.messages),
people AS (
    SELECT phone_number, list_id, {'carrier': carrier, 'line_type': line_type, 'timezone': timezone} AS person
    FROM main.contacts
    WHERE phone_number IN (SELECT phone_number FROM messages)
),
numbers AS (SELECT phone_number, max(person) AS anywhere FROM people GROUP BY phone_number),
known AS (
    SELECT messages.*, coalesce(person, anywhere) AS person
    FROM messages
    LEFT JOIN people USING (phone_number, list_id)
    LEFT JOIN numbers USING (phone_number)
)
SELECT
    marts.utc_day(moment) AS day,
    list_id,
    list_number,
    person['carrier'] AS carrier,
    person['line_type'] AS line_type,
    provider,
    status_detail AS reason,
    hour(timezone(zones.name, moment)) AS local_hour,
    count(*) AS messages,
    count(*) FILTER (outcome = 'delivered') AS delivered,
    count(*) FILTER (outcome = 'no_receipt') AS no_receipt,
    count(*) FILTER (outcome = 'failed') AS failed,
    count(*) FILTER (outcome = 'pending') AS pending,
    count(*) FILTER (outcome = 'other') AS other,
    count(seconds_to_delivery) AS timed,
    sum(seconds_to_delivery) AS seconds_total,
    median(seconds_to_delivery) AS seconds_median
FROM known
LEFT JOIN (SELECT DISTINCT name FROM pg_timezone_names()) AS zones ON zones.name = person['timezone']
GROUP BY ALL
