-- Findings of `trackly-sync lint` by kind, the worst first.
SELECT severity, kind, count(*) AS findings, count(DISTINCT (subject, subject_id)) AS subjects
FROM marts.campaign_lint
GROUP BY severity, kind
ORDER BY list_position(['error', 'warning', 'notice'], severity), findings DESC, kind
