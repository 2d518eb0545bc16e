"""The ledger: what was meant to be sent, what was sent, and what came of it, in SQLite or PostgreSQL.

    opening ─▶ ledger (the verbs: each is one transaction) ─▶ statements, packed_rows ─▶ db;  queries (what is asked)

`lock` keeps a second push out, `killed_pushes` completes the records of those that were killed, `status` is for who
only looks, `totals_readings` is what it keeps of a reading. What does not belong here: deciding what an answer or a
reading means for a row (`pipelines.push.send.answers`, `pipelines.push.revenue.settle.settle`).
"""
