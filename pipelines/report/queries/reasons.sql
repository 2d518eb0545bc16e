-- Why rows were left out, the most frequent reasons of each dataset and outcome first; others are summed up.
-- The API's text may differ from row to row; its code does not. Ours may name the line, and a number for example.
-- The API's text and ours hold no numbers of people; should any ever, it is not shown.
WITH
left_out AS (
    SELECT 'push' AS direction, dataset, outcome, code, reason
    FROM imports.records
    WHERE in_input AND is_left_out(outcome)
    UNION ALL
    SELECT 'pull', dataset, 'quarantined', NULL, reason
    FROM (
        SELECT 'contacts' AS dataset, reason FROM quarantine.contacts
        UNION ALL SELECT 'lists', reason FROM quarantine.lists
        UNION ALL SELECT 'offers', reason FROM quarantine.offers
        UNION ALL SELECT 'revenue', reason FROM quarantine.revenue
    )
),
reported AS (
    SELECT
        * EXCLUDE (reason),
        regexp_replace(
            regexp_replace(left(reason, 200), '^line [0-9]+: |, like \+15551234567', '', 'g'),
            '\+?[0-9]{7,}|hmac:[0-9a-f]+',
            '…',
            'g'
        ) AS reason
    FROM left_out
),
counted AS (
    SELECT direction, dataset, outcome, code, CASE WHEN code IS NULL THEN reason END AS plain,
        common_reason(outcome, reason) AS reason, count(*) AS rows
    FROM reported
    GROUP BY direction, dataset, outcome, code, plain
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY direction, dataset, outcome ORDER BY rows DESC, code, reason) AS place
    FROM counted
)
SELECT direction, dataset, outcome, code, reason, rows, false AS others FROM ranked WHERE place <= 8
UNION ALL
SELECT direction, dataset, outcome, NULL, 'other reasons: ' || count(*), sum(rows), true
FROM ranked WHERE place > 8 GROUP BY direction, dataset, outcome
ORDER BY direction, others, rows DESC, dataset, outcome, code, reason
