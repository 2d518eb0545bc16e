-- Campaigns of theirs are offers of ours: the nth campaign is the nth active offer here; write your own pairs.
WITH ours AS (
  SELECT id, row_number() OVER (ORDER BY created_at) AS number FROM warehouse.offers WHERE status = 'active'
), campaigns(campaign, number) AS (VALUES ('SPRING', 1), ('FRIDAY', 2))
SELECT
  MessageID AS message_id,
  ours.id AS offer_id,
  '+' || Recipient AS phone_number,
  strptime("ClickedAt (New York)", '%m/%d/%Y %H:%M:%S') AT TIME ZONE 'America/New_York' AS timestamp
FROM read_csv('export-clicks.csv', delim = ';', all_varchar = true) AS theirs
JOIN campaigns ON campaigns.campaign = theirs.Campaign
JOIN ours ON ours.number = campaigns.number
