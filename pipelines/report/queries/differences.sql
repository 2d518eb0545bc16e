-- Findings of the last reconciliation.
SELECT measure, finding, count(*) AS contacts, sum(difference) AS difference
FROM imports.differences
GROUP BY ALL
ORDER BY ALL
