-- Campaigns of theirs are offers of ours: the nth campaign is the nth active offer here; write your own pairs.
-- LEFT JOIN: a click of a campaign without an offer keeps the campaign's name, so that it is held back with a reason.
WITH ours AS (
  SELECT id, row_number() OVER (ORDER BY created_at) AS number FROM warehouse.offers WHERE status = 'active'
), campaigns(campaign, number) AS (VALUES ('SPRING', 1), ('FRIDAY', 2)
), theirs AS (
  SELECT *, try_strptime("ClickedAt (New York)", '%m/%d/%Y %H:%M:%S') AT TIME ZONE 'America/New_York' AS clicked_at
  FROM read_csv('export-clicks.csv', delim = ';', all_varchar = true)
)
SELECT
  MessageID AS message_id,
  coalesce(ours.id, theirs.Campaign) AS offer_id,
  '+' || Recipient AS phone_number,
  coalesce(strftime(timezone('UTC', clicked_at), '%Y-%m-%dT%H:%M:%SZ'), "ClickedAt (New York)") AS timestamp
FROM theirs
LEFT JOIN campaigns ON campaigns.campaign = theirs.Campaign
LEFT JOIN ours ON ours.number = campaigns.number
