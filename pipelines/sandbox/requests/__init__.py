"""Requests, and the allowed values in fields of writes.

call ─▶ write_rules (one table per resource) ─▶ value_checks (one value)

Every resource needs these three modules. What does not belong here: routes (`sandbox.serving`), and the work of
requests (`contacts`, `campaigns`, `messages`).
"""
