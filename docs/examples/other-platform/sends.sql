-- Numbers without a plus sign, local times, a status in words.
SELECT
  MessageID AS id,
  '+' || Recipient AS to_number,
  strptime("SentAt (New York)", '%m/%d/%Y %H:%M:%S') AT TIME ZONE 'America/New_York' AS timestamp,
  '+' || Sender AS list_number,
  Text AS message,
  'campaign' AS send_type,
  Status = 'delivered' AS delivered
FROM read_csv('export-messages.csv', delim = ';', all_varchar = true)
