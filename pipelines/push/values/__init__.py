"""What the texts of a history file mean: one declared format for every kind of value, as SQL.

    columns (which is which field) ─▶ formats (text to value) ─▶ expressions (value to record) ─▶ content (digest)

What does not belong here: reading files (`pipelines.push.parse`), and judging rows (`pipelines.push.checks`).
"""
