"""What the texts of a history file mean: one declared format for every kind of value, as SQL.

    columns (which is which field) ─▶ formats (text to value) ─▶ api_records, identity, content_digest
    fast_typing, byte_times (the same by whole batches)
    decimal_signs (what the amounts of a file show about point and comma)

What does not belong here: reading files (`pipelines.push.parse`), and judging rows (`pipelines.push.checks`).
"""
