"""Intake: history files into a stage whose rows are judged, and on record in the ledger as the current input.

    options ─▶ datasets (each in its turn) ─▶ dataset (build, judge, put on record) ─▶ found (what is in it)
    months: what became of it, month by month

What does not belong here: how rows are judged (`pipelines.push.checks`), and sending.
"""
