-- A reference counts as missing only if its dataset was pulled.
WITH
pulled AS (SELECT dataset FROM sync.snapshots WHERE published),
running AS (SELECT * FROM main.schedules WHERE status = 'on'),
used AS (
    SELECT schedule_id, audience_id, people, in_pairs, lists, CASE WHEN narrowed THEN lists ELSE '' END AS counted_as
    FROM marts.schedule_reach
),
offers AS (
    SELECT
        subject,
        subject_id,
        coalesce(offer_ref, key, '') AS about,
        offer_name AS about_name,
        CASE
            WHEN offer_ref IS NULL THEN 'link_without_offer'
            WHEN offer_id IS NULL THEN 'offer_missing'
            WHEN offer_status IN ('paused', 'archived') THEN 'offer_' || offer_status
            WHEN offer_status <> 'active' THEN 'offer_inactive'
        END AS kind,
        CASE
            WHEN offer_ref IS NULL THEN 'A link of it names no offer.'
            WHEN offer_id IS NULL THEN 'A link of it leads to an offer that the account does not have.'
            ELSE 'A link of it leads to an offer that is ' || offer_status || '.'
        END AS detail
    FROM marts.campaign_offers
    WHERE (subject = 'creatives' AND status = 'active') OR (subject = 'schedules' AND status = 'on')
    GROUP BY ALL
),
audiences AS (
    SELECT
        used.schedule_id AS subject_id,
        used.audience_id AS about,
        audiences.name AS about_name,
        CASE
            WHEN audiences.id IS NULL THEN 'audience_missing'
            WHEN audiences.status = 'archived' THEN 'audience_archived'
            WHEN audiences.status <> 'active' THEN 'audience_inactive'
        END AS kind,
        CASE
            WHEN audiences.id IS NULL THEN 'It sends to an audience that the account does not have.'
            ELSE 'It sends to an audience that is ' || audiences.status || '.'
        END AS detail
    FROM used LEFT JOIN main.audiences ON audiences.id = used.audience_id
    WHERE 'audiences' IN (FROM pulled)
),
drawn AS (
    SELECT id AS schedule_id, unnest(source_lists) AS list_id FROM running
    UNION
    SELECT schedule_id, unnest(source_lists) FROM used JOIN main.audiences ON audiences.id = used.audience_id
),
lists AS (
    SELECT
        schedule_id AS subject_id,
        list_id::VARCHAR AS about,
        list_name AS about_name,
        CASE
            WHEN lists.id IS NULL THEN 'list_missing'
            WHEN lists.status IN ('paused', 'suspended', 'deleted') THEN 'list_' || lists.status
            WHEN lists.status <> 'active' THEN 'list_inactive'
        END AS kind,
        'It, or an audience of it, draws from a list that '
            || CASE WHEN lists.id IS NULL THEN 'the account does not have.' ELSE 'is ' || lists.status || '.' END AS detail
    FROM drawn LEFT JOIN main.lists ON lists.id = drawn.list_id
    WHERE 'lists' IN (FROM pulled)
),
runs AS (
    SELECT
        planned.schedule_id,
        day,
        try_cast(planned.send_time AS TIME) AS clock,
        datediff('minute', TIMESTAMP '2020-01-01', day + try_cast(planned.send_time AS TIME)) AS minute
    FROM marts.planned_sends AS planned
    WHERE day IS NOT NULL
),
-- a schedule reaches no one if its lists and the audience's lists have none in common
reach AS (
    SELECT
        *,
        audience_id || ' ' || counted_as AS key,
        string_split(lists, ',') AS drawn_from,
        coalesce(in_pairs, false) AS is_in_pairs
    FROM used
    WHERE lists IS DISTINCT FROM 'none'
),
pairs AS (
    SELECT
        audience_id || ' ' || coalesce(lists, '') AS key,
        other_audience_id || ' ' || coalesce(other_lists, '') AS other_key,
        people
    FROM sync.audience_pairs
),
compared AS (
    SELECT
        one.schedule_id,
        other.schedule_id AS other_id,
        one.audience_id = other.audience_id AS one_audience,
        one.key = other.key AS is_same,
        CASE WHEN one.key = other.key THEN one.people ELSE pairs.people END AS people,
        one.key <> other.key AND one.is_in_pairs AND other.is_in_pairs AS is_counted,
        one.counted_as <> '' AND one.people = 0 AS is_empty,
        coalesce(list_has_any(one.drawn_from, other.drawn_from), true) AS lists_meet
    FROM reach AS one
    JOIN reach AS other ON one.schedule_id < other.schedule_id
    LEFT JOIN pairs ON pairs.key = least(one.key, other.key) AND pairs.other_key = greatest(one.key, other.key)
),
met AS (
    SELECT
        schedule_id, other_id, people,
        one_audience AND (is_same OR people IS NOT NULL OR lists_meet) AS same_audience
    FROM compared
    WHERE CASE
        WHEN is_same THEN NOT coalesce(is_empty, false)
        WHEN is_counted THEN people > 0
        ELSE one_audience OR lists_meet
    END
),
shared AS (
    SELECT schedule_id, other_id, max(people) AS people, bool_or(same_audience) AS same_audience
    FROM met
    GROUP BY ALL
),
-- many schedules run at the same times, so times are compared once for all of them
times AS (
    SELECT schedule_id, list(minute ORDER BY minute) AS minutes
    FROM runs
    WHERE minute IS NOT NULL
    GROUP BY schedule_id
),
patterns AS (SELECT minutes, row_number() OVER (ORDER BY minutes) AS pattern FROM (SELECT DISTINCT minutes FROM times)),
moments AS (SELECT pattern, unnest(minutes) AS minute FROM patterns),
apart AS (
    SELECT
        one.pattern,
        other.pattern AS other_pattern,
        bool_or(one.minute // 60 = other.minute // 60) AS same_hour,
        min(abs(one.minute - other.minute)) AS gap
    FROM moments AS one JOIN moments AS other ON one.pattern <= other.pattern
    GROUP BY ALL
),
timetable AS (
    SELECT schedule_id, pattern, name, skip_within_hours, use_local_time
    FROM times JOIN patterns USING (minutes) JOIN running ON running.id = schedule_id
),
gaps AS (
    SELECT
        shared.*,
        same_hour,
        gap,
        greatest(coalesce(first.skip_within_hours, 0), coalesce(second.skip_within_hours, 0)) AS skip,
        coalesce(first.use_local_time, false) <> coalesce(second.use_local_time, false) AS zones_differ,
        second.name AS other_name
    FROM shared
    JOIN timetable AS first ON first.schedule_id = shared.schedule_id
    JOIN timetable AS second ON second.schedule_id = shared.other_id
    JOIN apart
        ON apart.pattern = least(first.pattern, second.pattern)
        AND apart.other_pattern = greatest(first.pattern, second.pattern)
),
crossed AS (
    SELECT
        CASE WHEN people IS NULL AND NOT same_audience THEN 'notice' ELSE 'warning' END AS severity,
        schedule_id AS subject_id,
        other_id AS about,
        other_name AS about_name,
        people,
        CASE WHEN same_hour THEN 'overlap_same_hour' ELSE 'overlap_within_skip' END AS kind,
        concat(
            CASE
                WHEN same_audience THEN 'Both send to the same audience'
                WHEN people IS NOT NULL THEN 'Both send to audiences that share people'
                ELSE 'Both perhaps send to the same people, by their lists'
            END,
            CASE WHEN same_hour THEN ', in the same hour' ELSE ', ' || gap // 60 || CASE gap // 60 WHEN 1 THEN ' hour apart' ELSE ' hours apart' END END,
            CASE
                WHEN gap < skip * 60 THEN '; within ' || skip || CASE skip WHEN 1 THEN ' hour, so' ELSE ' hours, so' END || ' the later one skips them'
                ELSE '; neither skips them, so they get both'
            END,
            CASE WHEN zones_differ THEN '. Only one of them uses local time' ELSE '' END,
            '.'
        ) AS detail
    FROM gaps
    WHERE same_hour OR gap < skip * 60
),
settings AS (
    SELECT max(account_timezone) AS zone
    FROM sync.campaign_settings WHERE account_timezone IN (SELECT name FROM pg_timezone_names())
),
zones AS (
    SELECT schedule_id, timezone, sum(zones.people) AS people
    FROM used JOIN sync.audience_timezones AS zones
        ON zones.audience_id = used.audience_id AND coalesce(zones.lists, '') = counted_as
    WHERE timezone IN (SELECT name FROM pg_timezone_names())
    GROUP BY ALL
),
timed AS (
    SELECT schedule_id, day, clock, coalesce(use_local_time, false) AS is_local
    FROM runs JOIN running ON running.id = runs.schedule_id
),
outside AS (
    SELECT schedule_id, max(people) AS people
    FROM (
        SELECT schedule_id, day, sum(people) AS people
        FROM (
            SELECT timed.*, people, timezone(timezone, timezone(zone, day + clock))::TIME AS local_time
            FROM timed JOIN zones USING (schedule_id) CROSS JOIN settings
            WHERE NOT is_local AND zone IS NOT NULL
        )
        WHERE local_time < TIME '08:00' OR local_time > TIME '21:00'
        GROUP BY ALL
    )
    GROUP BY schedule_id
),
quiet AS (
    SELECT DISTINCT
        timed.schedule_id AS subject_id,
        CASE
            WHEN clock IS NULL THEN 'Give it a time of day.'
            WHEN NOT is_local AND outside.people IS NULL AND zone IS NULL
                THEN 'Set TRACKLY_ACCOUNT_TIMEZONE and pull again, or use use_local_time.'
            WHEN NOT is_local AND outside.people IS NULL
                THEN 'See why not (not_counted in marts.schedule_reach), or use use_local_time.'
        END AS remedy,
        outside.people,
        CASE
            WHEN is_local AND (clock < TIME '08:00' OR clock > TIME '21:00') THEN 'quiet_hours'
            WHEN outside.people > 0 THEN 'quiet_hours'
            WHEN clock IS NULL OR (NOT is_local AND zone IS NULL) THEN 'quiet_hours_unknown'
            WHEN NOT is_local AND timed.schedule_id IN (SELECT schedule_id FROM used WHERE people IS NULL)
                THEN 'quiet_hours_unknown'
        END AS kind,
        CASE
            WHEN clock IS NULL THEN 'It says no time of day.'
            WHEN is_local THEN 'It sends outside 08:00 to 21:00 of the contacts'' own time.'
            WHEN outside.people > 0 THEN 'It sends outside 08:00 to 21:00 of the own time of some of its people.'
            WHEN zone IS NULL THEN 'The account''s time zone is not known, so neither is the people''s own time.'
            ELSE 'An audience of it cannot be counted, so the people''s own time is not known.'
        END AS detail
    FROM timed LEFT JOIN outside USING (schedule_id) CROSS JOIN settings
),
segments AS (
    SELECT
        subject,
        subject_id,
        coalesce('variant ' || position, '') AS about,
        variant_name AS about_name,
        CASE encoding WHEN 'GSM-7' THEN 'Shorten it.' END AS remedy,
        'It is sent in ' || encoding || ' as ' || segments || CASE segments WHEN 1 THEN ' segment' ELSE ' segments' END || '; the estimate is ' || estimate || '.' AS detail
    FROM marts.message_segments
    WHERE extra_segments > 0
        AND ((subject = 'creatives' AND status = 'active') OR (subject = 'schedules' AND status = 'on'))
),
checked AS (SELECT unnest(['creatives', 'schedules', 'audiences', 'offers', 'lists']) AS dataset),
reads AS (
    SELECT
        substr(activity, 6) AS dataset,
        max(started_at) AS at,
        arg_max(status, started_at) AS status,
        arg_max(coalesce(details ->> '$.skipped', ''), started_at) AS skipped
    FROM sync.runs
    WHERE starts_with(activity, 'pull ')
    GROUP BY ALL
),
datasets AS (
    SELECT
        dataset AS subject_id,
        CASE WHEN snapshots.dataset IS NULL THEN 'not_pulled' ELSE 'not_renewed' END AS kind,
        CASE
            WHEN snapshots.dataset IS NULL AND skipped <> '' THEN 'Not checked, since the account does not serve it: ' || skipped
            WHEN snapshots.dataset IS NULL THEN 'Not checked, since it was never pulled.'
            ELSE 'Checked as of ' || strftime(make_timestamp(epoch_us(finished_at)), '%Y-%m-%d') || ': '
                || CASE WHEN skipped <> '' THEN 'the account no longer serves it.' ELSE 'its last pull did not succeed.' END
        END AS detail,
        CASE WHEN skipped <> '' THEN 'Nothing, if the account is to be without it; else pull again when it is served.' END
            AS remedy
    FROM checked
    LEFT JOIN (FROM sync.snapshots WHERE published) AS snapshots USING (dataset)
    LEFT JOIN reads USING (dataset)
    WHERE EXISTS (FROM pulled WHERE pulled.dataset IN (SELECT dataset FROM checked))
        AND (snapshots.dataset IS NULL OR (reads.at > finished_at AND (skipped <> '' OR reads.status <> 'succeeded')))
),
findings AS (
    SELECT
        CASE subject WHEN 'schedules' THEN 'error' ELSE 'warning' END AS severity,
        kind, subject, subject_id, about, about_name, NULL::BIGINT AS people, detail, NULL AS own_remedy
    FROM offers
    WHERE kind IS NOT NULL AND (kind NOT LIKE 'offer_%' OR 'offers' IN (FROM pulled))
    UNION ALL
    SELECT 'error', kind, 'schedules', subject_id, about, about_name, NULL, detail, NULL FROM audiences
    UNION ALL
    SELECT 'error', 'no_audience', 'schedules', id, '', NULL, NULL, 'It names no audience.', NULL
    FROM running WHERE coalesce(len(audiences), 0) = 0
    UNION ALL
    SELECT 'error', kind, 'schedules', subject_id, about, about_name, NULL, detail, NULL FROM lists
    UNION ALL
    SELECT severity, kind, 'schedules', subject_id, about, about_name, people, detail, NULL FROM crossed
    UNION ALL
    SELECT
        CASE kind WHEN 'quiet_hours' THEN 'warning' ELSE 'notice' END,
        kind, 'schedules', subject_id, '', NULL, people, detail, remedy
    FROM quiet
    UNION ALL
    SELECT 'warning', 'more_segments', subject, subject_id, about, about_name, NULL, detail, remedy FROM segments
    UNION ALL
    SELECT 'notice', kind, 'datasets', subject_id, '', NULL, NULL, detail, remedy FROM datasets
    UNION ALL
    SELECT
        'warning', 'rows_quarantined', 'datasets', dataset, '', NULL, NULL,
        CASE quarantined WHEN 1 THEN '1 row is' ELSE quarantined || ' rows are' END
            || ' in quarantine and ' || CASE quarantined WHEN 1 THEN 'was' ELSE 'were' END || ' not checked.',
        NULL
    FROM sync.snapshots
    WHERE published AND quarantined > 0 AND dataset IN (FROM checked)
),
names AS (
    SELECT 'creatives' AS subject, id::VARCHAR AS subject_id, name AS subject_name FROM main.creatives
    UNION ALL
    SELECT 'schedules', id, name FROM main.schedules
),
remedies AS (
    SELECT unnest([
        {'begins': 'offer_', 'remedy': 'Put another offer in the link, or activate this one.'},
        {'begins': 'link_', 'remedy': 'Give the link an offer.'},
        {'begins': 'audience_', 'remedy': 'Choose another audience, or turn the schedule off.'},
        {'begins': 'no_audience', 'remedy': 'Choose an audience, or turn the schedule off.'},
        {'begins': 'list_', 'remedy': 'Take the list out of the schedule or the audience, or activate it.'},
        {'begins': 'overlap_', 'remedy': 'Move one of the schedules, or set skip_within_hours to what is meant.'},
        {'begins': 'quiet_hours', 'remedy': 'Choose a time that is inside for all, or use_local_time.'},
        {'begins': 'more_segments', 'remedy': 'Replace what is not in GSM-7 (see marts.message_segments), or shorten it.'},
        {'begins': 'rows_quarantined', 'remedy': 'See why: trackly-sync rejects. Correct them in Trackly, then: trackly-sync pull'},
        {'begins': 'not_', 'remedy': 'Run: trackly-sync pull'}
    ], recursive := true)
)
SELECT findings.* EXCLUDE (own_remedy), subject_name, coalesce(own_remedy, remedy) AS remedy
FROM findings
JOIN remedies ON starts_with(kind, begins)
LEFT JOIN names USING (subject, subject_id)
WHERE kind IS NOT NULL
