"""Which staged rows are not sent, and why.

    validate ─▶ conflicts (one key, other content) ─▶ compare (with the ledger) ─▶ revenue (held for a decision)

What does not belong here: what a text means (`pipelines.push.values`), and sending (`pipelines.push.send`).
"""
