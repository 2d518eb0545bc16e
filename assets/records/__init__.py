"""Dagster's records: what the command line did goes in, what is too old goes out.

run records of the engine ─▶ command_line (as materializations) ─▶ events, run_records ─▶ report
Dagster's records ─▶ unreported (what they do not have), pruning

What does not belong here: the engine's own records (`pipelines.runs`).
"""
