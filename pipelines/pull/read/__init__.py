"""Reads one endpoint to its end: every row that existed throughout is read, although pages shift meanwhile.

    scan ─▶ chain (windows that share rows, joining) or fixed_pages ─▶ pages (one request), page_check

`windows` holds the proof, `incremental` reads new sign-ups only. The `Fetch` that `scan` is given gets and keeps
replies (`pipelines.pull.replies.fetch`). The table in docs/architecture.md shows how servers may answer, and where
each case is handled. What does not belong here: what a row means (`pipelines.pull.decode`), and the consistency of a
scan (`pipelines.pull.consistency`).
"""
