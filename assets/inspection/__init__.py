"""What assets, checks and sensors look at: rows of the warehouse, files that arrive, and the figures made of them.

files, warehouse ─▶ new_files, lookups, row_checks ─▶ metadata (as Dagster's pages show it)

Only `metadata` imports Dagster. What does not belong here: what follows from what was found.
"""
