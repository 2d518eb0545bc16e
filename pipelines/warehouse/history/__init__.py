"""History: versions of rows that pulls have seen, and readings of each month's revenue.

a new snapshot ─▶ versions (compared by canonical_json) ─▶ views (`<dataset>_history`, `_as_of`); revenue_readings

What does not belong here: earlier snapshots on disk (`pipelines.snapshots`, `pull.rollback`).
"""
