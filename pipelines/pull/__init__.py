"""Pull: a consistent set of rows out of shifting pages, validated, written as Parquet snapshots."""
