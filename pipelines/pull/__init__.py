"""Pull: a consistent set of rows out of shifting pages, validated, written as Parquet snapshots.

    run ─▶ snapshot ─▶ read (pages) ─▶ replies, decode (columns) ─▶ write (one data file) ─▶ consistency, manifest

Here lie the pull (`run`), one snapshot (`snapshot`), its `draft` and its `manifest`, what is done with earlier ones
(`rollback`), which endpoint serves which dataset (`endpoints`), what may be claimed of a scan (`consistency`), and
how many bad rows stop a pull (`bad_rows_limit`). `derived` has what is more than the rows of one endpoint: where
revenue comes from, sizes of audiences, the contacts' totals that a push settles by. What does not belong here: HTTP
(`pipelines.trackly`), the columns (`schemas`), and publishing (`pipelines.warehouse`).
"""
