"""The asset graph: Dagster's assets, by their origin.

external (account, files) ─▶ pulled ─▶ warehouse ─▶ analysis; external ─▶ pushed, months, webhook_events ─▶ analysis

`attributes` gives each its owner, tags, version and freshness. What does not belong here: checks (`assets.checks`),
when assets run (`assets.schedules`), and how data is read or sent (the engine).
"""
