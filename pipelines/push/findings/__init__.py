"""What was found in history files, for people: how each was read, and which values rows are left out for.

    a stage ─▶ files (what becomes of a file's rows) ─▶ values (masked where nobody asked for them)

Two modules and a room, since both `intake` and what is above it need them, and nothing here writes. What does not
belong here: why a row is left out (`checks`), and showing it (`cli`).
"""
