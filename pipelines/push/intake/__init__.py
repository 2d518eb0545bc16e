"""Intake: puts history files into a stage, judges the rows, and records them in the ledger as the current input.

    options ─▶ datasets (one after the other) ─▶ dataset (build, judge, record) ─▶ found (what the files have)
    months: the outcomes of the input, month by month

What does not belong here: how rows are judged (`pipelines.push.checks`), and sending.
"""
