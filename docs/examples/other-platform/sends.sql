-- Numbers without a plus sign, local times, a status in words. A time that is not as expected stays as it is, so that
-- its row is held back with the reason; strptime would stop the whole query.
WITH theirs AS (
  SELECT *, try_strptime("SentAt (New York)", '%m/%d/%Y %H:%M:%S') AT TIME ZONE 'America/New_York' AS sent_at
  FROM read_csv('export-messages.csv', delim = ';', all_varchar = true)
)
SELECT
  MessageID AS id,
  '+' || Recipient AS to_number,
  coalesce(strftime(timezone('UTC', sent_at), '%Y-%m-%dT%H:%M:%SZ'), "SentAt (New York)") AS timestamp,
  '+' || Sender AS list_number,
  Text AS message,
  'campaign' AS send_type,
  Status = 'delivered' AS delivered
FROM theirs
