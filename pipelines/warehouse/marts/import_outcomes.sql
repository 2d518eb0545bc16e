SELECT
    dataset,
    marts.utc_day("at") AS day,
    outcome,
    code,
    -- The API's text may differ from row to row; its code does not. Our text may name the line.
    CASE WHEN code IS NULL THEN regexp_replace(reason, '^line [0-9]+: ', '') END AS reason,
    count(*) AS rows
FROM imports.records
GROUP BY ALL
