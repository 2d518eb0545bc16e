"""Pull: a consistent set of rows out of shifting pages, validated, written as Parquet snapshots.

    run ─▶ snapshot ─▶ read (pages) ─▶ replies, decode (columns) ─▶ write (one data file) ─▶ consistency, manifest

This package holds the pull (`run`), one snapshot (`snapshot`), its `draft` and its `manifest`, the use of earlier
snapshots (`rollback`), the endpoint of each dataset (`endpoints`), the consistency that a scan proves
(`consistency`), and the share of bad rows that stops a pull (`bad_rows_limit`). `derived` has data that needs more
than the rows of one endpoint: the source of revenue, sizes of audiences, the contacts' totals that a push settles
rows by. What does not belong here: HTTP (`pipelines.trackly`), the columns (`schemas`), and publishing
(`pipelines.warehouse`).
"""
