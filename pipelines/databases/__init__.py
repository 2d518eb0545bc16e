"""Opens databases: SQLite or PostgreSQL for data that must outlive a process, DuckDB for computation.

a URL ─▶ engines ─▶ sqlite_or_postgresql (the ledger, the queue of events)
duckdb_memory, duckdb_statements ─▶ duckdb_instances, duckdb_scratch (work on files) ─▶ parquet_files (of ours)
an SQLite file, only for reading, with a fast start ─▶ sqlite_reader

What does not belong here: tables, and their use (`push.ledger`, `webhooks`, `warehouse`).
"""
