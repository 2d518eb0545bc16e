"""Dagster's records: adds the runs of the command line, removes old records.

run records of the engine ─▶ command_line (as materializations) ─▶ events, run_records ─▶ report
tables that a step or a command has published ─▶ views (materializations of the views that read them)
Dagster's records ─▶ unreported (missing runs), pruning

What does not belong here: the engine's own records (`pipelines.runs`).
"""
