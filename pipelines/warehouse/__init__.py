"""The warehouse: publishing snapshots into warehouse.duckdb by an atomic swap, and reading it.

snapshots ─▶ publish ─▶ shrink_guard ─▶ structure (tables), history, webhook_events, marts ─▶ swap ─▶ published

`diff` and `left_out` read what is there. What does not belong here: making snapshots (`pull`), and what pushes leave
in the schema `imports` (`push.audit`).
"""
