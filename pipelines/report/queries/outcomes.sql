-- The current history input by outcome, as `trackly-sync status` counts it.
SELECT dataset, outcome, count(*) AS rows FROM imports.records WHERE in_input GROUP BY ALL ORDER BY ALL
