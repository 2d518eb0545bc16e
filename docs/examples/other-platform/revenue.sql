-- Their order number tells equal rows apart, so that a changed export is never taken for new revenue.
-- LEFT JOIN: a sale of a campaign without an offer keeps the campaign's name, so that it is held back with a reason.
WITH ours AS (
  SELECT id, row_number() OVER (ORDER BY created_at) AS number FROM warehouse.offers WHERE status = 'active'
), campaigns(campaign, number) AS (VALUES ('SPRING', 1), ('FRIDAY', 2)
), theirs AS (
  SELECT *, try_strptime("OrderedAt (New York)", '%m/%d/%Y %H:%M:%S') AT TIME ZONE 'America/New_York' AS ordered_at
  FROM read_csv('export-sales.csv', delim = ';', all_varchar = true)
)
SELECT
  OrderNo AS record_id,
  MessageID AS message_id,
  coalesce(ours.id, theirs.Campaign) AS offer_id,
  replace(replace(Amount, '$ ', ''), ',', '') AS revenue,
  'sale' AS attribution_type,
  coalesce(strftime(timezone('UTC', ordered_at), '%Y-%m-%dT%H:%M:%SZ'), "OrderedAt (New York)") AS timestamp
FROM theirs
LEFT JOIN campaigns ON campaigns.campaign = theirs.Campaign
LEFT JOIN ours ON ours.number = campaigns.number
