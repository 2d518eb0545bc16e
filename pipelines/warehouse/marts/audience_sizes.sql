WITH
versions AS (
    SELECT
        id AS audience_id,
        name AS audience_name,
        cached_size_updated_at AS counted_at,
        valid_from AS seen_at,
        cached_size AS size,
        lag(row(cached_size, cached_size_updated_at)) OVER looks IS DISTINCT FROM row(cached_size, cached_size_updated_at)
            OR row_number() OVER looks = 1 AS is_new
    FROM main.audiences_history
    WINDOW looks AS (PARTITION BY id ORDER BY valid_from)
)
SELECT
    audience_id,
    audience_name,
    counted_at,
    seen_at,
    size,
    size - last_value(size IGNORE NULLS) OVER (
        PARTITION BY audience_id ORDER BY seen_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS change
FROM versions
WHERE is_new
