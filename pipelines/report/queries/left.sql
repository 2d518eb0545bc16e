-- One row: revenue that left the account with contacts, and revenue that came back with contacts.
SELECT
    count(DISTINCT (phone_number, list_id)) FILTER (WHERE gone < 0) AS contacts,
    -sum(gone) AS revenue,
    count(DISTINCT (phone_number, list_id)) FILTER (WHERE back > 0) AS contacts_back,
    sum(back) AS revenue_back
FROM departures
