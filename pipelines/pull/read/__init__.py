"""Reading one endpoint to its end: every row that existed throughout is seen, though pages shift meanwhile.

    scan ─▶ chain (windows that share rows, joining) or fixed_pages ─▶ pages (one request), page_check

`windows` holds the proof, `incremental` reads new sign-ups only. Replies are got and kept by what `scan` is given
(`pipelines.pull.replies.fetch`). Which answers of servers are provided for, and where: the table in
docs/architecture.md. What does not belong here: what a row means (`pipelines.pull.decode`), and what may be claimed
of a scan (`pipelines.pull.consistency`).
"""
