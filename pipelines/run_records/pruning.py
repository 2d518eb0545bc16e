"""Removes old records of runs: files in `runs/` and their logs.

The newest record of each activity, and the newest successful one, are kept at any age, since alerts, metrics and
`status` use them. What does not belong here: snapshots (`warehouse.publish` keeps some), and Dagster's records
(`assets.records.report`).
"""

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from pipelines.runs.run_state import remove_killed
from pipelines.settings import Settings
from schemas.own_tables.sync import RunRecord

_DAMAGED = "damaged"


def oldest_kept(settings: Settings) -> datetime | None:
    """Return the time before which records are removed; None if all are kept."""
    days = settings.keep_records_days
    return datetime.now(UTC) - timedelta(days=days) if days else None


def prune_runs(settings: Settings) -> int:
    """Remove records of runs and logs older than `keep_records_days`; return their number.

    Raises:
        OSError: a file cannot be removed.
    """
    before = oldest_kept(settings)
    if before is None:
        return 0
    stamp = f"{before:%Y%m%dT%H%M%S}"
    folder = settings.data_dir / "runs"
    old = [folder / name for name in _removable(folder, stamp)]
    old += [path for path in (settings.data_dir / "logs").glob("*-*.ndjson") if path.name < stamp]
    for path in old:
        path.unlink(missing_ok=True)
    remove_killed(settings.data_dir, before.timestamp())
    return len(old)


def _removable(folder: Path, stamp: str) -> list[str]:
    names = os.listdir(folder) if folder.exists() else []  # noqa: PTH208 - there may be tens of thousands
    ended = sorted((name for name in names if name.endswith(".json")), reverse=True)
    old = [name for name in ended if name < stamp]
    kept = set(_needed(folder, ended)) if old else set()
    return [name for name in old if name not in kept]


def _needed(folder: Path, newest_first: Iterable[str]) -> Iterator[str]:
    """Yield the newest record of each activity, and the newest successful one."""
    seen: set[str] = set()
    went_well: set[str] = set()
    for name in newest_first:
        activity = name.split("-", 2)[-1]  # as `record_files` names them
        if activity in went_well:
            continue
        if _status(folder / name) == "succeeded":
            went_well.add(activity)
            yield name
        elif activity not in seen:
            yield name
        seen.add(activity)


def _status(path: Path) -> str:
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunRecord).status
    except (OSError, msgspec.DecodeError):
        return _DAMAGED
