"""Batches into the two files of a snapshot: its data and its quarantine.

    validate (pandera) ─▶ data_file (while the scan goes on) ─▶ deduplicate (of each row the latest version)

`keyless` counts rows without a key, `odd_times` warns of times that hardly can be, `scratch` is a bounded DuckDB.
What does not belong here: manifests and publishing (`pipelines.snapshots`, `pipelines.warehouse`).
"""
