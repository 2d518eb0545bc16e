"""Reads data for assets, checks and sensors: rows of the warehouse, arriving files, and figures about them.

files, warehouse ─▶ new_files, lookups, row_checks ─▶ previews, metadata (for Dagster's pages)

Only `metadata` and `previews` import Dagster. What does not belong here: decisions about the results.
"""
