"""Reports a command's work to Dagster's records, if there are any, in a process in the background.

The report must never make a command fail or slow it down: Dagster takes seconds to import. What does not belong here:
the contents of the report (`assets.records.report`).
"""

import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pipelines.errors import SettingsError, StorageError
from pipelines.logs import run_id
from pipelines.report import PAGE
from pipelines.run_records.unreported import Notice, keeps_records, leave, start_reporting
from pipelines.settings import load_settings

_log = logging.getLogger(__name__)


def hand_over(began: datetime) -> None:
    """Start a report of this process's records, or of a new page, if Dagster keeps records.

    Args:
        began: when the command began.
    """
    try:
        settings = load_settings()
    except SettingsError:  # the command has reported it
        return
    if not keeps_records(settings.data_dir):
        return
    if not _has_recorded(settings.data_dir, began) and not _has_a_page(settings.data_dir, began):
        return
    try:
        leave(settings.data_dir, Notice(run_id.get(), began.astimezone(UTC).isoformat()))
        start_reporting(settings.data_dir, settings.dagster_url)
    except (OSError, StorageError) as error:
        _log.warning("Dagster's records miss this run: %s", type(error).__name__)


def _has_a_page(data_dir: Path, began: datetime) -> bool:
    """Whether the page of the report was written since the command began."""
    with suppress(OSError):
        return (data_dir / PAGE).stat().st_mtime >= began.timestamp()
    return False


def _has_recorded(data_dir: Path, began: datetime) -> bool:
    """Whether this process has made a record; file names begin with the time and the process (see `record_files`)."""
    stamp, own = f"{began.astimezone(UTC):%Y%m%dT%H%M%S}", f"-{os.getpid()}."
    with suppress(FileNotFoundError):
        names = os.listdir(data_dir / "runs")  # noqa: PTH208 - there may be tens of thousands
        return any(own in name and name >= stamp and name.endswith(".json") for name in names)
    return False
