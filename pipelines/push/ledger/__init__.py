"""The ledger: what was meant to be sent, what was sent, and what came of it, in SQLite or PostgreSQL.

    packed_rows, statements ─▶ ledger (the verbs: each is one transaction) ─▶ db;  queries (what is asked of it)

What does not belong here: deciding what an answer or a
reading means for a row (`pipelines.push.send.answers`, `pipelines.push.revenue.settle`).
"""
