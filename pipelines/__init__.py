"""The engine: pull, warehouse, push, sandbox and command line. No Dagster in here."""
