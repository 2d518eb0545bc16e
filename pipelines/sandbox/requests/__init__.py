"""What requests ask for, and what the fields of writes may hold.

call ─▶ write_rules (one table per resource) ─▶ value_checks (one value)

Three modules and a room, since every resource needs them. What does not belong here: routes (`sandbox.serving`), and
what a request does (`contacts`, `campaigns`, `messages`).
"""
