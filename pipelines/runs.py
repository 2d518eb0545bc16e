"""Run records: what every activity of every run did, also when it failed.

One small JSON file each in `runs/` of the data directory, so that a run that published nothing is on record too;
publishing copies them to sync.runs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from pipelines.errors import StorageError, TracklySyncError
from pipelines.storage import storage_errors, write_durably
from schemas.sync import RunRecord


def new_run_id() -> str:
    """An id for a run that no orchestrator has named."""
    return str(uuid4())


@contextmanager
def recorded(data_dir: Path, run: str, activity: str) -> Iterator[RunRecord]:
    """Record an activity; the block fills in the figures.

    Raises:
        StorageError: the record cannot be written (an error of the block itself is raised in its place).
    """
    record = RunRecord(run=run, activity=activity, started_at=now())
    try:
        yield record
    except TracklySyncError as error:
        record.status, record.error = "failed", str(error)
        raise
    except Exception as error:
        record.status, record.error = "failed", type(error).__name__
        raise
    else:
        record.status = "succeeded"
    finally:
        record.finished_at = now()
        _write(data_dir, record)


def records(data_dir: Path) -> list[RunRecord]:
    """Every activity on record, oldest first.

    Raises:
        StorageError: a record cannot be read.
    """
    found = []
    for path in sorted((data_dir / "runs").glob("*.json")):
        with storage_errors("read", path):
            content = path.read_bytes()
        try:
            found.append(msgspec.json.decode(content, type=RunRecord))
        except msgspec.DecodeError as error:
            raise StorageError(
                f"{path} is damaged ({error}).", "Delete it; it holds figures only."
            ) from error
    return found


def details(**figures: Any) -> msgspec.Raw:
    """Figures for a record's `details`."""
    return msgspec.Raw(msgspec.json.encode(figures))


def now() -> str:
    """The time as records hold it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()


def _write(data_dir: Path, record: RunRecord) -> None:
    stamp = record.started_at.replace(":", "").replace("-", "").partition("+")[0]
    path = data_dir / "runs" / f"{stamp}-{os.getpid()}-{record.activity.replace(' ', '-')}.json"
    try:
        write_durably(path, msgspec.json.encode(record))
    except StorageError:
        if record.status == "succeeded":
            raise
        # the block's own error says more: a full disk fails both
