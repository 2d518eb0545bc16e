"""Reading one endpoint to its end: every row that existed throughout is seen, though pages shift meanwhile.

    scan ─▶ chain (windows that share rows) or fixed_pages ─▶ pages (one request) ─▶ evidence

`windows` holds the proof. What does not belong here: what a row says (`pipelines.pull.decode`), and what may be
claimed of a scan (`pipelines.pull.consistency`).
"""
