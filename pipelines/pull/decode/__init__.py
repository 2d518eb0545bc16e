"""Replies into batches of Arrow columns: the measured path.

    redact ─▶ decoder (columns, row_keys) ─▶ spool (the reply on disk) ─▶ batches (50,000 rows as files)

`row_keys` decides what tells rows apart. What does not belong here: which pages are asked for, and the client
(`pipelines.pull.read`), and the declared checks (`pipelines.pull.write.validate`).
"""
