"""Writes the report as a file, completely or not at all."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pipelines.report.figures import figures
from pipelines.report.page import Shown, page
from pipelines.run_records.summary import latest_runs
from pipelines.runs.recording import last_of_each
from pipelines.settings import Settings
from pipelines.storage import write_durably

_RUNS_SHOWN = 15


def write_report(
    settings: Settings, path: Path, notes: Sequence[str], mode: int = 0o600, *, ledger_lost: bool = False
) -> int:
    """Write the page about the settings' data directory; return its size in bytes.

    Args:
        settings: which data directory.
        path: the file, replaced if it is there.
        notes: sentences on what needs attention.
        mode: of the file.
        ledger_lost: whether history was pushed that the ledger does not have.

    Raises:
        StorageError: the warehouse cannot be read, or the file cannot be written.
    """
    found = figures(settings.warehouse)
    # not from sync.runs: failures since the last publish are only in these records
    runs, _ = latest_runs(settings.data_dir, _RUNS_SHOWN)
    last = last_of_each(settings.data_dir)
    shown = Shown(datetime.now(UTC), settings.currency, ledger_lost)
    content = page(found, runs, last, notes, shown).encode()
    write_durably(path, content, mode=mode)
    return len(content)
