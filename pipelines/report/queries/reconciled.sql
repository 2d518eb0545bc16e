-- When accepted rows were last compared with the account, if ever.
SELECT max(finished_at) AS at FROM sync.runs WHERE activity = 'reconcile' AND status = 'succeeded'
