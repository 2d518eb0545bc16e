"""The stage: the current input of one dataset, typed, in a DuckDB file of its own.

    database (built by every intake) ◀─ query_cage ─▶ query_process (runs a `.sql` file where it can do no harm)

`redact` removes personal data after rows were sent, and `cleanup` removes what a killed command left.
`decimal_sign_of_file` holds amounts back by what their whole file shows. What does not belong here: which rows may be
sent (`pipelines.push.checks`), and anything that must be kept (`pipelines.push.ledger`).
"""
