WITH
used AS (
    SELECT id AS schedule_id, unnest(audiences) AS audience_id FROM main.schedules WHERE status = 'on'
),
together AS (
    SELECT pairs.audience_id, other_audience_id, count(DISTINCT schedule_id) AS schedules
    FROM sync.audience_pairs AS pairs
    JOIN used ON used.audience_id IN (pairs.audience_id, other_audience_id)
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
FROM sync.audience_pairs AS pairs
LEFT JOIN together USING (audience_id, other_audience_id)
LEFT JOIN sync.audience_counts AS counts ON counts.audience_id = pairs.audience_id
LEFT JOIN sync.audience_counts AS other_counts ON other_counts.audience_id = pairs.other_audience_id
LEFT JOIN main.audiences ON audiences.id = pairs.audience_id
LEFT JOIN main.audiences AS others ON others.id = pairs.other_audience_id
