"""One reply into Arrow columns and row keys; the speed of this code is measured.

    a reply ─▶ redact ─▶ decoder (parsed once) ─▶ columns, row_keys

What does not belong here: where replies come from and where they go (`pipelines.pull.replies`), and the declared
checks (`pipelines.pull.write.validate`).
"""
