"""The asset graph: what Dagster shows as assets, by where they come from.

external (account, files) ─▶ pulled ─▶ warehouse ─▶ analysis; external ─▶ pushed, months, webhook_events ─▶ analysis

`attributes` gives each its owner, tags, version and freshness. What does not belong here: checks (`assets.checks`),
when assets run (`assets.schedules`), and how anything is read or sent, which is the engine's.
"""
