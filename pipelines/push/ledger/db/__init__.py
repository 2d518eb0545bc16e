"""The ledger as a database: its tables and their versions, and SQL expressions for the state of rows and calls.

    upgrade ─▶ tables;  call_states ─▶ row_outcome (expressions), figures (texts for every driver);  engine (failures)

What does not belong here: queries (`ledger.queries`), and how a database is opened (`databases`).
"""
