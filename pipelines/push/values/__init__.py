"""What the texts of a history file mean: one declared format for each kind of value, as SQL.

    columns (match columns with fields) ─▶ formats (text to value) ─▶ api_records, identity, content_digest
    fast_typing, byte_times (the same for whole batches)
    decimal_signs (what the amounts of a file show about point and comma)

What does not belong here: reading files (`pipelines.push.parse`), and judging rows (`pipelines.push.checks`).
"""
