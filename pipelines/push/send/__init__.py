"""Sends rows of a stage to the account, call by call, each recorded in the ledger.

    queries (which rows, in which order) ─▶ calls (chunks) ─▶ sender ─▶ answers (the outcome of each row)

`repeatable` sends a dataset whose repeats the API skips; `planned_calls` counts calls for a plan. What does not
belong here: revenue in doubt (`pipelines.push.revenue`), and the HTTP of a call (`pipelines.trackly.imports`).
"""
