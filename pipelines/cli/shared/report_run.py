"""Writes the report, for the command and for Dagster; a failure is recorded as a run and alerts.

A report that was written is not a run. It is recorded only if the last one failed, which ends the alert. What does
not belong here: the contents of the page (`pipelines.report`).
"""

from pathlib import Path

from pipelines.cli.shared.attention import attention
from pipelines.push.audit.alerts import watched_push
from pipelines.push.audit.lost_ledger.detect import lost
from pipelines.push.ledger.status import outcomes
from pipelines.report.write import write_report
from pipelines.run_records.failures import failure_recorded, note_recovery
from pipelines.runs.recording import this_run
from pipelines.settings import Settings
from pipelines.warehouse.published import published

_ACTIVITY = "report"


@watched_push
def make_report(settings: Settings, path: Path, mode: int = 0o600, run: str | None = None) -> tuple[int, int]:
    """Write the page.

    Args:
        settings: which data directory.
        path: the file, replaced if it is there.
        mode: of the file.
        run: the run's id; by default that of this process.

    Returns:
        The size of the page in bytes, and how many problems need attention.

    Raises:
        StorageError: the data for the page cannot be read, or the file cannot be written.
    """
    run = run or this_run()
    with failure_recorded(settings.data_dir, run, [_ACTIVITY]):
        notes = attention(settings, published(settings.warehouse), outcomes(settings))
        size = write_report(settings, path, notes, mode, ledger_lost=bool(lost(settings)))
    note_recovery(settings.data_dir, run, _ACTIVITY)
    return size, len(notes)
