"""The archive: what history files say of the rows that are sent, kept as Parquet beside the warehouse.

    rows (what is in it, and how it is written) ─▶ files (which files count) ─▶ corrected (what was sent otherwise)

Three modules, and a room: all others of `audit` build on it, and it on none of them. What does not belong here: what
became of a row (`pipelines.push.ledger`).
"""
