-- Revenue of the current history input by outcome; rows whose amount cannot be read have none.
SELECT outcome, count(*) AS rows, sum(revenue) AS revenue, count(*) - count(revenue) AS unknown
FROM imports.records
WHERE in_input AND dataset = 'revenue'
GROUP BY outcome
