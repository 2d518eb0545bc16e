-- Makes the table of changes of contacts' totals that are no sales: a contact left and its total with it, or it came
-- back. Totals count only contacts that are there. `gone` is at most zero, `back` at least.
CREATE TEMP TABLE departures AS
WITH
changes AS (
    SELECT phone_number, list_id, timestamp, since, revenue FROM main.revenue WHERE source = 'contacts'
),
-- Few contacts' totals ever fall; only theirs are added up.
balances AS (
    SELECT *, sum(revenue) OVER (PARTITION BY phone_number, list_id ORDER BY timestamp) AS balance
    FROM changes SEMI JOIN (FROM changes WHERE revenue < 0 AND since IS NOT NULL) USING (phone_number, list_id)
),
began AS (
    SELECT phone_number, list_id, valid_from AS timestamp FROM sync.contacts_since
    UNION ALL
    SELECT phone_number, list_id, valid_from FROM sync.contacts_ended
),
-- A contact that is there and whose total falls to zero has a version since then, one that left has none.
leaving AS (
    SELECT phone_number, list_id, timestamp, revenue AS gone
    FROM balances ANTI JOIN began USING (phone_number, list_id, timestamp)
    WHERE revenue < 0 AND balance = 0 AND since IS NOT NULL
),
-- The change after that is its coming back if a version begins with it, and none ends: none was there before.
following AS (
    SELECT
        phone_number, list_id, timestamp, revenue,
        -lag(gone) OVER (PARTITION BY phone_number, list_id ORDER BY timestamp) AS had
    FROM balances LEFT JOIN leaving USING (phone_number, list_id, timestamp)
),
came_back AS (
    SELECT phone_number, list_id, timestamp, least(revenue, had) AS back
    FROM following
    SEMI JOIN began USING (phone_number, list_id, timestamp)
    ANTI JOIN (SELECT phone_number, list_id, valid_to AS timestamp FROM sync.contacts_ended)
        USING (phone_number, list_id, timestamp)
    WHERE had > 0 AND revenue > 0
)
SELECT phone_number, list_id, timestamp, gone, 0 AS back FROM leaving
UNION ALL
SELECT phone_number, list_id, timestamp, 0, back FROM came_back
