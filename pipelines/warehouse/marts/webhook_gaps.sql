-- A step is a contact between two looks: what its send_count and active gained, less what imports and events explain.
-- Events may come some minutes after the happening that they report.
WITH
versions AS (
    SELECT
        phone_number,
        list_id,
        active,
        send_count,
        last_sent_at,
        valid_from,
        signup_date > began_at AND valid_from > began_at AS is_new,
        lag(valid_from) OVER looks AS before,
        lag(active) OVER looks AS active_before,
        lag(send_count) OVER looks AS sent_before,
        max(CASE WHEN NOT active THEN valid_from END) OVER (
            looks ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS inactive_before
    FROM main.contacts_history
    CROSS JOIN (SELECT began_at FROM sync.history_began WHERE dataset = 'contacts') AS began
    WINDOW looks AS (PARTITION BY phone_number, list_id ORDER BY valid_from)
),
steps AS (
    SELECT
        phone_number,
        list_id,
        coalesce(before, valid_from - INTERVAL 366 DAY) AS since,
        valid_from AS seen_at,
        CASE WHEN last_sent_at > since AND last_sent_at <= seen_at THEN last_sent_at ELSE seen_at END AS sent_at,
        greatest(send_count - coalesce(sent_before, 0), 0) AS sends,
        NOT active AND coalesce(active_before, true) AS opted_out,
        inactive_before
    FROM versions
    WHERE (before IS NOT NULL OR is_new) AND (sends > 0 OR opted_out)
),
reported AS (
    SELECT phone_number, steps.list_id, seen_at, count(DISTINCT message_id) AS reported
    FROM steps JOIN marts.messages USING (phone_number)
    WHERE (messages.list_id IS NULL OR messages.list_id = steps.list_id)
        AND coalesce(messages.sent_at, messages.first_at) BETWEEN since AND seen_at + INTERVAL 5 MINUTE
    GROUP BY ALL
),
imported AS (
    SELECT phone_number, steps.list_id, seen_at, count(*) AS imported
    FROM steps JOIN imports.records USING (phone_number)
    WHERE dataset = 'sends' AND outcome = 'accepted' AND "at" > since AND "at" <= seen_at
        AND coalesce(records.list_id, marts.list_of(records.list_number), steps.list_id) = steps.list_id
    GROUP BY ALL
),
opt_outs AS (
    SELECT
        coalesce(phone_number, "to") AS phone_number,
        marts.list_of(list_number) AS list_id,
        coalesce(timestamp, received_at) AS moment
    FROM main.webhook_events
    WHERE marts.is_opt_out(event)
),
-- an event of an opt-out that was over before does not report the next one
stopped AS (
    SELECT DISTINCT phone_number, steps.list_id, seen_at
    FROM steps JOIN opt_outs USING (phone_number)
    WHERE (opt_outs.list_id IS NULL OR opt_outs.list_id = steps.list_id)
        AND moment <= seen_at + INTERVAL 5 MINUTE
        AND (inactive_before IS NULL OR moment > inactive_before + INTERVAL 5 MINUTE)
),
compared AS (
    SELECT
        steps.*,
        greatest(sends - coalesce(imported, 0), 0) AS live,
        coalesce(reported, 0) AS reported,
        stopped.seen_at IS NOT NULL AS is_reported
    FROM steps
    LEFT JOIN reported USING (phone_number, list_id, seen_at)
    LEFT JOIN imported USING (phone_number, list_id, seen_at)
    LEFT JOIN stopped USING (phone_number, list_id, seen_at)
),
days AS (
    SELECT marts.utc_day(sent_at) AS day, list_id, live, reported, 0 AS opt_outs, 0 AS opt_outs_reported FROM compared
    UNION ALL
    SELECT marts.utc_day(seen_at), list_id, 0, 0, 1, is_reported::INTEGER FROM compared WHERE opted_out
)
SELECT
    day,
    days.list_id,
    any_value(list_name) AS list_name,
    sum(live) AS sends_seen,
    sum(least(live, reported)) AS sends_reported,
    sum(greatest(live - reported, 0)) AS sends_missing,
    sum(opt_outs) AS opt_outs_seen,
    sum(opt_outs_reported) AS opt_outs_reported,
    sum(opt_outs - opt_outs_reported) AS opt_outs_missing
FROM days LEFT JOIN main.lists ON lists.id = days.list_id
GROUP BY day, days.list_id
HAVING sum(live) > 0 OR sum(opt_outs) > 0
