-- One row: what contacts that are gone took out of the account's revenue. Totals count only contacts that are there.
SELECT count(DISTINCT (phone_number, list_id)) AS contacts, -sum(revenue) AS revenue
FROM main.revenue ANTI JOIN main.contacts USING (phone_number, list_id)
WHERE source = 'contacts' AND since IS NOT NULL AND revenue < 0
