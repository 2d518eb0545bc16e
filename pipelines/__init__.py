"""The engine: pull, warehouse, push, sandbox and command line. No Dagster in here.

pull ─▶ snapshots ─▶ warehouse;  push ─▶ trackly;  sandbox (an account to try it with);  cli (calls them all)

Modules that all packages use are in this folder: `errors`, `logs`, `metrics`, `privacy`, `snapshots`, `storage`. What
does not belong here: Dagster (`assets`), and what the columns are (`schemas`).
"""
