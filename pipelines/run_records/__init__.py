"""Uses of run records: summaries for people, runs that Dagster lacks, and pruning.

`pipelines.runs` (the records) ─▶ by_run ─▶ summary; unreported, pruning

What does not belong here: writing records (`pipelines.runs`), and showing them (`cli`, `report`).
"""
