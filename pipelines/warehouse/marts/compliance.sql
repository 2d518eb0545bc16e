-- An opt-out is over when contacts show the person inactive after it and then active again.
WITH
opt_outs AS (
    SELECT phone_number, list_number, list_id, first_at, last_at
    FROM marts.opt_outs
    WHERE phone_number IS NOT NULL
),
versions AS (
    SELECT
        phone_number,
        list_id,
        active,
        last_sent_at,
        valid_from,
        valid_to,
        lag(active) OVER (PARTITION BY phone_number, list_id ORDER BY valid_from) AS active_before
    FROM main.contacts_history
    WHERE phone_number IN (SELECT phone_number FROM opt_outs)
),
returns AS (
    SELECT phone_number, list_id, opt_outs.first_at, min(valid_from) AS ended_at
    FROM versions JOIN opt_outs USING (phone_number, list_id)
    WHERE active AND NOT active_before AND valid_from > opt_outs.first_at
    GROUP BY ALL
),
standing AS (
    SELECT opt_outs.*, ended_at
    FROM opt_outs LEFT JOIN returns USING (phone_number, list_id, first_at)
),
proven AS (
    SELECT first_at, min(finished_at) AS proven_at
    FROM (SELECT DISTINCT first_at FROM opt_outs) AS moments
    JOIN sync.snapshots ON started_at > first_at AND dataset = 'contacts' AND consistency <> 'fuzzy'
    GROUP BY first_at
),
-- every publish counts audiences and their opted-out contacts; see sync.audience_opted_out
reached AS (
    SELECT schedule_id, schedule_name, phone_number, list_id, min(basis) AS basis
    FROM (
        SELECT id AS schedule_id, name AS schedule_name, source_lists, unnest(audiences) AS audience_id
        FROM main.schedules WHERE status = 'on'
    ) AS schedules
    JOIN sync.audience_opted_out AS opted_out ON main.id_key(opted_out.audience_id) = main.id_key(schedules.audience_id)
    WHERE coalesce(len(source_lists), 0) = 0 OR list_contains(source_lists, list_id)
    GROUP BY ALL
)
SELECT
    'sent_after_opt_out' AS finding,
    standing.phone_number,
    standing.list_id,
    standing.list_number,
    standing.first_at AS opted_out_at,
    min(coalesce(sent_at, messages.first_at)) AS found_at,
    count(*) AS messages,
    CASE WHEN count(sent_at) > 0 THEN 'send time' ELSE 'first event' END AS evidence
FROM standing
JOIN marts.messages ON messages.phone_number = standing.phone_number
    AND messages.list_number IS NOT DISTINCT FROM standing.list_number
    AND coalesce(sent_at, messages.first_at) > standing.first_at
    AND (ended_at IS NULL OR coalesce(sent_at, messages.first_at) < ended_at)
GROUP BY ALL
UNION ALL
SELECT
    'contact_sent_after_opt_out',
    standing.phone_number,
    standing.list_id,
    standing.list_number,
    standing.first_at,
    min(last_sent_at),
    count(DISTINCT last_sent_at),
    'last_sent_at of contacts'
FROM standing
JOIN versions ON versions.phone_number = standing.phone_number AND versions.list_id = standing.list_id
    AND last_sent_at > standing.first_at
    AND (ended_at IS NULL OR last_sent_at < ended_at)
GROUP BY ALL
UNION ALL
SELECT
    'still_active',
    opt_outs.phone_number,
    opt_outs.list_id,
    opt_outs.list_number,
    opt_outs.first_at,
    proven_at,
    NULL,
    'contacts snapshot'
FROM opt_outs
JOIN proven USING (first_at)
JOIN versions ON versions.phone_number = opt_outs.phone_number AND versions.list_id = opt_outs.list_id
    AND valid_from <= proven_at AND (valid_to IS NULL OR valid_to > proven_at) AND active
UNION ALL BY NAME
SELECT
    'schedule_would_reach' AS finding,
    schedule_id,
    schedule_name,
    standing.phone_number,
    standing.list_id,
    standing.list_number,
    standing.first_at AS opted_out_at,
    max(contacts.synced_at) AS found_at,
    min(basis) || CASE WHEN max(contacts.synced_at) < max(standing.last_at)
        THEN '; opted out after the last pull' ELSE '; active in a pull after the opt-out' END AS evidence
FROM standing
JOIN reached ON reached.phone_number = standing.phone_number
    AND (standing.list_id IS NULL OR standing.list_id = reached.list_id)
JOIN main.contacts ON contacts.phone_number = reached.phone_number AND contacts.list_id = reached.list_id
WHERE ended_at IS NULL OR standing.last_at > ended_at
GROUP BY ALL
