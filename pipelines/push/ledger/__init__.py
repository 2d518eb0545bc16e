"""The ledger: what was meant to be sent, what was sent, and what came of it, in SQLite or PostgreSQL.

`verbs` is where everything begins: each is one transaction. What does not belong here: deciding what an answer or a
reading means for a row (`pipelines.push.attribution`, `pipelines.push.settle`).
"""
