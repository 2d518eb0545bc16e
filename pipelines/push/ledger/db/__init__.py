"""The ledger as a database: its tables, their versions, and what can be said in its own language.

    upgrade ─▶ tables;  call_states ─▶ row_outcome (expressions), figures (texts for every driver);  engine (failures)

What does not belong here: what is asked of it (`ledger.queries`), and how a database is opened (`databases`).
"""
