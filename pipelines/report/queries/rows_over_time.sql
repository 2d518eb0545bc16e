-- Rows of each dataset by the time of the pull; at most 60 points each, whatever the number of pulls.
WITH
counted AS (
    SELECT dataset, run, finished_at AS pulled_at, rows FROM sync.snapshots
    UNION ALL
    -- Old snapshots are removed; the records of their runs stay.
    SELECT dataset, run, finished_at, rows
    FROM (SELECT *, substr(activity, length('pull ') + 1) AS dataset FROM sync.runs WHERE activity LIKE 'pull %')
    ANTI JOIN sync.snapshots USING (dataset, run)
    WHERE status = 'succeeded' AND rows IS NOT NULL
),
placed AS (
    SELECT
        *,
        min(epoch(pulled_at)) OVER of_dataset AS first,
        max(epoch(pulled_at)) OVER of_dataset AS last
    FROM counted
    WINDOW of_dataset AS (PARTITION BY dataset)
)
SELECT dataset, max(pulled_at) AS pulled_at, arg_max(rows, pulled_at) AS rows
FROM placed
GROUP BY dataset, floor((epoch(pulled_at) - first) / greatest(last - first, 1) * 59)
ORDER BY dataset, pulled_at
