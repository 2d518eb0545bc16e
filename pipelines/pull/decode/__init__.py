"""Replies into batches of Arrow columns: the measured path.

    redact ─▶ spool (bytes on disk) ─▶ pool (this process or one beside it) ─▶ decoder ─▶ columns ─▶ batches

`row_keys` says what tells rows apart. What does not belong here: which pages are asked for (`pipelines.pull.read`),
and the declared checks (`pipelines.pull.write.validate`).
"""
