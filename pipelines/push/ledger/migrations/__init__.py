"""Alembic's scripts for the ledger: one file in `versions/` per change of its tables, never changed once released."""
