"""The datasets: each declared once, one file each; everything typed is derived from the declaration.

columns (how to declare) ─▶ contacts, lists, … ─▶ registry ─▶ derived (Arrow, DuckDB, pandera), dictionary

There are as many modules as datasets, more than a room usually has. `marts` and `own_tables` are declared in the same
way; `values` has what a time, an amount, a phone number or an outcome is. What does not belong here: anything that
reads or writes data (`pipelines`).
"""
