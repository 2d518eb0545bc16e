-- Their order number tells equal rows apart, so that a changed export is never taken for new revenue.
WITH ours AS (
  SELECT id, row_number() OVER (ORDER BY created_at) AS number FROM warehouse.offers WHERE status = 'active'
), campaigns(campaign, number) AS (VALUES ('SPRING', 1), ('FRIDAY', 2))
SELECT
  OrderNo AS record_id,
  MessageID AS message_id,
  ours.id AS offer_id,
  replace(replace(Amount, '$ ', ''), ',', '') AS revenue,
  'sale' AS attribution_type,
  strptime("OrderedAt (New York)", '%m/%d/%Y %H:%M:%S') AT TIME ZONE 'America/New_York' AS timestamp
FROM read_csv('export-sales.csv', delim = ';', all_varchar = true) AS theirs
JOIN campaigns ON campaigns.campaign = theirs.Campaign
JOIN ours ON ours.number = campaigns.number
