"""Derived from the declarations: Arrow, pandera and DuckDB schemas, and the list of analysts' tables.

a `Dataset` ─▶ arrow ─▶ pandera_checks; tables (DuckDB); catalog

What does not belong here: declarations.
"""
