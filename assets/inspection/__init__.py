"""What assets, checks and sensors look at: rows of the warehouse, files that arrive, and the figures made of them.

files, warehouse ─▶ new_files, lookups, row_checks ─▶ previews, metadata (for Dagster's pages)

Only `metadata` and `previews` import Dagster. What does not belong here: what follows from what was found.
"""
