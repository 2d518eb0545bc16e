"""Pull: a consistent set of rows out of shifting pages, validated, written as Parquet snapshots.

    run ─▶ snapshot ─▶ read (pages) ─▶ decode (replies into columns) ─▶ write (one data file) ─▶ consistency

Here lie the pull (`run`), one snapshot (`snapshot`) and its `draft`, what is done with earlier ones (`rollback`),
which endpoint serves which dataset (`endpoints`), what may be claimed of a scan (`consistency`), where revenue comes
from (`revenue_source`), sizes of audiences that the account counts on request (`audience_sizes`), and the contacts'
totals that a push settles by (`contact_totals`). What does not belong here: HTTP (`pipelines.trackly`), the columns
(`schemas`), and publishing (`pipelines.warehouse`).
"""
