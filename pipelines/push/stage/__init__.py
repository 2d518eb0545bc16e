"""The stage: the current input of one dataset, typed, in a DuckDB file of its own.

    database (built by every intake) ◀─ query_cage ─▶ query_process (a `.sql` file run where it can do no harm)

`redact` removes what is personal once rows were sent, `cleanup` what a killed command left. `decimal_sign_of_file`
holds back amounts by what their whole file shows. What does not belong here: which rows may be sent
(`pipelines.push.checks`), and anything that must be kept (`pipelines.push.ledger`).
"""
