"""The datasets: each is declared once, in its own file; decoders, types and checks are derived from the declaration.

columns (how to declare) ─▶ contacts, lists, … ─▶ registry ─▶ derived (Arrow, DuckDB, pandera), dictionary

There is a module for each dataset. `marts` and `own_tables` are declared in the same way; `values` defines times,
amounts, phone numbers and outcomes. What does not belong here: anything that reads or writes data (`pipelines`).
"""
