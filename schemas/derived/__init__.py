"""What is derived from the declarations: Arrow, pandera and DuckDB, and the list of all that analysts read.

a `Dataset` ─▶ arrow ─▶ pandera_checks; tables (DuckDB); catalog

What does not belong here: declarations.
"""
