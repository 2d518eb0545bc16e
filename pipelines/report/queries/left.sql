-- One row: what contacts that left took out of the account's revenue, and what those that came back brought back.
SELECT
    count(DISTINCT (phone_number, list_id)) FILTER (WHERE gone < 0) AS contacts,
    -sum(gone) AS revenue,
    count(DISTINCT (phone_number, list_id)) FILTER (WHERE back > 0) AS contacts_back,
    sum(back) AS revenue_back
FROM departures
