"""The warehouse: publishing snapshots into warehouse.duckdb by an atomic swap, and reading it.

snapshots ─▶ publish ─▶ shrink_guard ─▶ structure (tables), history, webhook_events, marts ─▶ swap ─▶ published

`diff` and `left_out` read published data. What does not belong here: making snapshots (`pull`), and the schema
`imports` of pushes (`push.audit`).
"""
