"""Reads a history file of any format as a relation: its fields as texts, and the place of each row.

    text (encoding, lines) ─▶ delimited, json_lines (fast_json_lines) ─▶ records ─▶ relation
    Parquet and queries ─▶ typed_columns ─▶ relation

`facts` holds what was found in a file, for the plan. What does not belong here: which files there are
(`pipelines.push.files`), and what a text means (`pipelines.push.values`).
"""
