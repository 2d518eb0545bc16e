"""One history file as a relation of texts with their places, whatever its format.

    text (encoding, lines) ─▶ delimited, json_lines ─▶ records;  Parquet and queries ─▶ typed_columns  ─▶ relation

What does not belong here: which files there are (`pipelines.push.files`), what was found in one, for the plan
(`pipelines.push.findings`), and what a text means (`pipelines.push.values`).
"""
