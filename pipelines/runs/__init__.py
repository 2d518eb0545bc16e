"""Run records: what every activity of every run did, and which runs and activities go on or were killed.

    recording ─▶ activity_state, run_state (marks of what goes on) ─▶ record_files

What does not belong here: what is made of the records, for people and for pruning (`pipelines.run_records`).
"""

from pipelines.runs.recording import new_run_id  # public: docs/library.md

__all__ = ["new_run_id"]
