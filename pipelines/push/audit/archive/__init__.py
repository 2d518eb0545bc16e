"""The archive: what history files say about the rows that are sent, as Parquet beside the warehouse.

    rows (content and writing) ─▶ files (which files count) ─▶ corrected (rows sent with other values)

A package of its own because all other modules of `audit` use it, and it uses none of them. What does not belong here:
the outcomes of rows (`pipelines.push.ledger`).
"""
