-- One row: counts of campaigns.
SELECT
    (SELECT count(*) FROM main.creatives) AS creatives,
    (SELECT count(*) FROM main.audiences) AS audiences,
    (SELECT count(*) FROM main.schedules) AS schedules
