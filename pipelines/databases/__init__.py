"""How databases are opened: SQLite or PostgreSQL for what must outlive a process, DuckDB for what is computed.

a URL ─▶ engines ─▶ sqlite_or_postgresql (the ledger, the queue of events)
duckdb_memory, duckdb_statements ─▶ duckdb_instances, duckdb_scratch (work on files) ─▶ parquet_files (of ours)
a file of SQLite, only to be read and at once ─▶ sqlite_reader

What does not belong here: tables, and what they are for (`push.ledger`, `webhooks`, `warehouse`).
"""
