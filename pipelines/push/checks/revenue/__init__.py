"""Revenue that may be in the account already and is held back, most of it until a person decides.

same_rows ◀─ overlaps (equal rows in other files), like_sent (rows like sent ones), replaced (rows that have left the
             files), decided_once;  synced_by_tune (revenue that TUNE syncs itself)

What does not belong here: rows of one key (`checks.conflicts`), and the decision (`push.resolve`).
"""
