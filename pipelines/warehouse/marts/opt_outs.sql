WITH
reported AS (
    SELECT
        coalesce(phone_number, "to") AS phone_number,
        list_number,
        keyword,
        coalesce(timestamp, received_at) AS moment,
        repeats,
        happening,
        digest
    FROM main.webhook_events
    WHERE marts.is_opt_out(event)
),
people AS (
    SELECT
        phone_number,
        list_number,
        marts.list_of(list_number) AS list_id,
        min(moment) AS first_at,
        max(moment) AS last_at,
        max_by(keyword, struct_pack(moment := moment, digest := digest)) AS keyword,
        count(*) AS bodies,
        coalesce(sum(repeats), 0) AS repeats,
        count(happening) - count(DISTINCT happening) AS disagreements
    FROM reported
    GROUP BY ALL
)
SELECT people.*, contacts.active AS contact_active, contacts.synced_at AS contact_as_of
FROM people
LEFT JOIN main.contacts ON contacts.phone_number = people.phone_number AND contacts.list_id = people.list_id
