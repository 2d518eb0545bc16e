-- One row: what the account accepted after the pull began that the figures are of. Contacts, and what is counted from
-- them, have it with the next pull only; so has revenue, which comes from contacts or from a pull of events of its own.
-- And `opening`: how much of the opening balance was imported before the first pull.
WITH
pulls AS (
    SELECT
        min(started_at) FILTER (WHERE dataset = 'contacts') AS contacts_at,
        min(started_at) FILTER (WHERE dataset = 'revenue' AND source = 'events') AS events_at,
        coalesce(events_at, least(contacts_at, min(started_at) FILTER (WHERE dataset = 'revenue'))) AS revenue_at
    FROM sync.snapshots
    WHERE published
),
first_pull AS (
    SELECT min(timestamp) AS first_at, sum(revenue) AS balance
    FROM main.revenue
    WHERE source <> 'events' AND since IS NULL
),
accepted AS (
    SELECT dataset, "at", revenue
    FROM imports.records
    WHERE outcome = 'accepted' OR (outcome = 'duplicate' AND attempt > 0) OR code = 'sent_before'
)
SELECT
    contacts_at,
    revenue_at,
    count(*) FILTER (WHERE "at" > contacts_at) AS rows,
    coalesce(sum(revenue) FILTER (WHERE dataset = 'revenue' AND "at" > revenue_at), 0) AS revenue,
    -- revenue of contacts that left is no longer in the totals
    least(max(balance), coalesce(sum(revenue) FILTER (WHERE dataset = 'revenue' AND "at" <= first_at), 0)) AS opening
FROM pulls CROSS JOIN first_pull LEFT JOIN accepted ON true
GROUP BY ALL
