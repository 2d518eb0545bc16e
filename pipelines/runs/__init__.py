"""Run records: every activity of every run, and which runs and activities are under way or were killed.

    recording ─▶ activity_state, run_state (marks of work under way) ─▶ record_files

What does not belong here: summaries and pruning of the records (`pipelines.run_records`).
"""

from pipelines.runs.recording import new_run_id  # public: docs/library.md

__all__ = ["new_run_id"]
