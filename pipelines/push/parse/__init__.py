"""One history file as a relation of texts with their places, whatever its format.

    text (encoding, lines) ─▶ delimited, json_lines (fast_json_lines) ─▶ records ─▶ relation
    Parquet and queries ─▶ typed_columns ─▶ relation

`facts` is what was found, for the plan. What does not belong here: which files there are (`pipelines.push.files`),
and what a text means (`pipelines.push.values`).
"""
