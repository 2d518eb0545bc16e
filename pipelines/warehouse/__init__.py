"""The warehouse: publishing snapshots into warehouse.duckdb by an atomic swap, and reading it."""
