"""Dagster: assets, checks, resources, jobs, schedules and definitions; bodies of a few lines.

graph (assets) ─▶ checks ─▶ jobs ─▶ schedules, sensors ─▶ definitions; inspection (look-ups), runs, records, ui

`pipelines` has the work of assets, `schemas` the declarations of datasets. Only this package imports Dagster.
"""
