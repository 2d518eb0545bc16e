WITH
datasets AS (
    FROM (VALUES
        ('pull', 'lists'), ('pull', 'offers'), ('pull', 'contacts'), ('pull', 'revenue'),
        ('pull', 'creatives'), ('pull', 'audiences'), ('pull', 'schedules'),
        ('push', 'sends'), ('push', 'clicks'), ('push', 'revenue')
    ) AS t (direction, dataset)
),
stands AS (
    SELECT 'pull' AS direction, dataset, finished_at AS as_of, rows, quarantined AS left_out, consistency
    FROM sync.snapshots
    WHERE published
    UNION ALL
    SELECT 'push', dataset, answered_at, coalesce(taken_in, 0), coalesce(left_out, 0), NULL
    FROM (SELECT dataset, max(answered_at) AS answered_at FROM imports.chunks GROUP BY dataset)
    FULL JOIN (
        SELECT
            dataset,
            count(*) FILTER (WHERE outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0) OR code = 'sent_before') AS taken_in,
            count(*) FILTER (WHERE in_input AND outcome NOT IN ('accepted', 'duplicate', 'pending')) AS left_out
        FROM imports.records
        GROUP BY dataset
    ) USING (dataset)
),
ran AS (
    SELECT
        activity,
        max(started_at) AS last_run_at,
        arg_max(status, started_at) AS last_run_status,
        max(finished_at) FILTER (WHERE status = 'succeeded') AS last_success_at
    FROM sync.runs
    GROUP BY activity
)
SELECT
    direction,
    dataset,
    as_of,
    (epoch(now()) - epoch(as_of)) / 3600 AS age_hours,
    coalesce(rows, 0) AS rows,
    coalesce(left_out, 0) AS left_out,
    consistency,
    last_run_at,
    last_run_status,
    last_success_at
FROM datasets
LEFT JOIN stands USING (direction, dataset)
LEFT JOIN ran ON activity = direction || ' ' || dataset
