"""Code that several commands share: arguments, the end of a command, and reports after it.

arguments ─▶ a command ─▶ exits (message and exit code) ─▶ report_to_dagster

`attention` lists problems for a person. What does not belong here: how results are shown (`terminal`).
"""
