-- One row: what the account accepted after the pull began that the figures are of. Contacts, and what is counted from
-- them, have it with the next pull only; so has revenue, which comes from contacts or from a pull of events of its own.
WITH
pulls AS (
    SELECT
        min(started_at) FILTER (WHERE dataset = 'contacts') AS contacts_at,
        min(started_at) FILTER (WHERE dataset = 'revenue' AND source = 'events') AS events_at,
        coalesce(events_at, least(contacts_at, min(started_at) FILTER (WHERE dataset = 'revenue'))) AS revenue_at
    FROM sync.snapshots
    WHERE published
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
    coalesce(sum(revenue) FILTER (WHERE dataset = 'revenue' AND "at" > revenue_at), 0) AS revenue
FROM pulls LEFT JOIN accepted ON true
GROUP BY ALL
