-- One row per dataset and direction, in the order of the mart.
SELECT direction, dataset, as_of, rows, left_out, consistency
FROM marts.freshness
ORDER BY direction, list_position(
    ['lists', 'offers', 'contacts', 'sends', 'clicks', 'revenue', 'creatives', 'audiences', 'schedules'], dataset
)
