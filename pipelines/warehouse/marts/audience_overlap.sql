WITH
pairs AS (
    SELECT audience_id, other_audience_id, people FROM sync.audience_pairs
    WHERE coalesce(lists, '') = '' AND coalesce(other_lists, '') = ''
),
counts AS (SELECT audience_id, people FROM sync.audience_counts WHERE coalesce(lists, '') = ''),
together AS (
    SELECT pairs.audience_id, other_audience_id, count(DISTINCT schedule_id) AS schedules
    FROM pairs
    JOIN marts.schedule_reach AS used ON used.audience_id IN (pairs.audience_id, other_audience_id)
    GROUP BY ALL
)
SELECT
    pairs.audience_id,
    audiences.name AS audience_name,
    pairs.other_audience_id,
    others.name AS other_audience_name,
    pairs.people,
    pairs.people / nullif(counts.people, 0) AS share_of_audience,
    pairs.people / nullif(other_counts.people, 0) AS share_of_other,
    coalesce(schedules, 0) AS schedules
FROM pairs
LEFT JOIN together USING (audience_id, other_audience_id)
LEFT JOIN counts ON counts.audience_id = pairs.audience_id
LEFT JOIN counts AS other_counts ON other_counts.audience_id = pairs.other_audience_id
LEFT JOIN main.audiences ON audiences.id = pairs.audience_id
LEFT JOIN main.audiences AS others ON others.id = pairs.other_audience_id
