"""Dagster: assets, checks, resources, jobs, schedules and definitions; bodies of a few lines.

graph (assets) ─▶ checks ─▶ jobs ─▶ schedules, sensors ─▶ definitions; inspection (look-ups), runs, records, ui

What an asset does lives in `pipelines`; what a dataset is lives in `schemas`. Dagster is imported here only.
"""
