"""Rows out of a stage into the account, call by call through the ledger.

    queries (which rows, in which order) ─▶ calls (chunks) ─▶ sender ─▶ answers (what each row became)

`repeatable` sends a dataset whose repeats the API skips; `planned_calls` counts for a plan. What does not belong
here: revenue in doubt (`pipelines.push.revenue`), and the HTTP of a call (`pipelines.trackly.imports`).
"""
