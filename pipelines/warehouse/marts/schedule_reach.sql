-- A schedule reaches the people of its audiences that are on its source_lists.
WITH
used AS (
    SELECT id AS schedule_id, name AS schedule_name, source_lists, unnest(audiences) AS ref
    FROM main.schedules
    WHERE status = 'on'
),
known AS (SELECT main.id_key(id) AS key, min(id) AS id FROM main.audiences GROUP BY ALL),
found AS (
    SELECT DISTINCT schedule_id, schedule_name, list_distinct(nullif(source_lists, [])) AS own, coalesce(id, ref) AS audience_id
    FROM used LEFT JOIN known ON known.key = main.id_key(ref)
),
drawn AS (
    SELECT
        found.*,
        list_distinct(nullif(audiences.source_lists, [])) AS theirs,
        CASE WHEN own IS NULL THEN theirs WHEN theirs IS NULL THEN own ELSE list_intersect(own, theirs) END AS common,
        audiences.id IS NOT NULL AS is_there,
        audiences.name AS audience_name,
        audiences.status AS audience_status,
        cached_size,
        cached_size_updated_at
    FROM found LEFT JOIN main.audiences ON audiences.id = found.audience_id
),
narrowed AS (
    SELECT
        *,
        CASE WHEN common IS NOT NULL THEN coalesce(nullif(array_to_string(list_sort(common), ','), ''), 'none') END AS lists,
        own IS NOT NULL AND (theirs IS NULL OR len(common) < len(theirs)) AS narrowed
    FROM drawn
)
SELECT
    schedule_id,
    schedule_name,
    narrowed.audience_id,
    audience_name,
    audience_status,
    narrowed.lists,
    narrowed,
    cached_size,
    cached_size_updated_at,
    people,
    people_wide,
    contacts_as_of,
    in_pairs,
    CASE
        WHEN counts.audience_id IS NOT NULL THEN reason
        WHEN NOT is_there THEN 'the account has no such audience'
        WHEN audience_status = 'archived' THEN 'archived audiences are not counted'
        ELSE 'not counted yet'
    END AS not_counted
FROM narrowed
LEFT JOIN sync.audience_counts AS counts
    ON counts.audience_id = narrowed.audience_id
    AND coalesce(counts.lists, '') = CASE WHEN narrowed THEN narrowed.lists ELSE '' END
