"""The ledger: what was meant to be sent, what was sent, and the outcomes of rows, in SQLite or PostgreSQL.

    opening ─▶ ledger (the verbs: each is one transaction) ─▶ statements, packed_rows ─▶ db;  queries (reading)

`lock` keeps a second push out, `killed_pushes` completes the records of killed pushes, `status` only reads figures,
`totals_readings` has the types of a reading's totals. What does not belong here: deciding what an answer or a reading
means for a row (`pipelines.push.send.answers`, `pipelines.push.revenue.settle.settle`).
"""
