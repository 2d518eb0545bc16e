SELECT
    audiences.id AS audience_id,
    name AS audience_name,
    status,
    cached_size,
    cached_size_updated_at,
    people,
    people_wide,
    people_with_inactive,
    contacts_as_of,
    CASE
        WHEN cached_size < people THEN cached_size - people
        WHEN cached_size > people_wide THEN cached_size - people_wide
        WHEN cached_size IS NOT NULL AND people IS NOT NULL THEN 0
    END AS difference,
    filter_sql,
    filter_sql_wide,
    CASE
        WHEN counts.audience_id IS NOT NULL THEN reason
        WHEN status = 'archived' THEN 'archived audiences are not counted'
        ELSE 'not counted yet'
    END AS not_counted
FROM main.audiences LEFT JOIN sync.audience_counts AS counts ON counts.audience_id = audiences.id AND coalesce(lists, '') = ''
