"""Dagster: assets, checks, resources, jobs, schedules and definitions; bodies of a few lines."""
