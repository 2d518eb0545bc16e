"""Findings about history files, for people: how each file was read, and the values for which rows are left out.

    a stage ─▶ files (the outcomes of a file's rows) ─▶ values (masked unless a person asks for them)

A package of its own because `intake` and the modules above it need it; nothing here writes. What does not belong
here: why a row is left out (`checks`), and showing it (`cli`).
"""
