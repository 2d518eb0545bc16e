"""Dagster's records: what the command line did goes in, what is too old goes out.

run records of the engine ─▶ command_line (as materializations) ─▶ events, run_records ─▶ report
what a step or a command has published ─▶ views (as materializations of what reads it)
Dagster's records ─▶ unreported (what they do not have), pruning

What does not belong here: the engine's own records (`pipelines.runs`).
"""
