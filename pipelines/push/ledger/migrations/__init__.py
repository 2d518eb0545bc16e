"""Alembic's scripts for the ledger: one file in `versions/` per change of its tables, never changed after a release.

Alembic wants `env.py` and `versions/` in a folder of their own, and runs both by their paths. What does not belong
here: the present tables (`ledger.db.tables`), and when a ledger is upgraded (`ledger.db.upgrade`).
"""
