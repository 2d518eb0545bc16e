"""What several commands share: their arguments, how each ends, and what happens after it.

arguments ─▶ a command ─▶ exits (message and exit code) ─▶ report_to_dagster

`attention` lists what somebody should look at. What does not belong here: how it is shown (`terminal`).
"""
