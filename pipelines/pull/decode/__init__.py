"""Replies, from the client to batches of Arrow columns: the measured path.

    replies ─▶ accept (redact, decoder: columns and row_keys) ─▶ spool (the reply on disk) ─▶ batches (50,000 rows)

`row_keys` decides what tells rows apart. What does not belong here: which pages are asked for
(`pipelines.pull.read`), HTTP (`pipelines.trackly`), and the declared checks (`pipelines.pull.write.validate`).
"""
