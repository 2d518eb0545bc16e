"""Rows out of a stage into the account, call by call through the ledger.

    queries (which rows, in which order) ─▶ chunks ─▶ sender ─▶ answers (what each row became)

`call_sizes` and `call_turns` say how large the next call is and who may make it. What does not belong here: revenue
in doubt (`pipelines.push.revenue`), and the HTTP of a call (`pipelines.trackly.imports`).
"""
