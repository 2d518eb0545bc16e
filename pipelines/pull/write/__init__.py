"""Writes batches into the files of a snapshot: its rows, its quarantine, its replies.

    snapshot_files ─▶ validate (pandera) ─▶ data_file (while the scan goes on) ─▶ deduplicate (the latest version)

`keyless` counts rows without a key, `same_key` finds several rows of one key, `odd_times` warns of implausible times,
`earlier_rows` takes over rows of an earlier snapshot. What does not belong here: manifests and publishing
(`pipelines.snapshots`, `pipelines.warehouse`).
"""
