"""Runs of the command line that Dagster's records do not have yet: one small file each, until they are reported.

This applies only if Dagster keeps records in the data directory. A command leaves a notice and starts a process that
reports it. If that process fails, the next one reports it, or the UI when it starts. What does not belong here:
Dagster (`assets.records.report` reports), and the work of a run (see `pipelines.runs`).
"""

import os
from pathlib import Path

import msgspec

from pipelines.errors import StorageError
from pipelines.process.subprocesses import module_command, safe_environment
from pipelines.storage import private_folder, storage_errors, write_durably

_FOLDER = "to_report"
_MOST_ATTEMPTS = 3


class Notice(msgspec.Struct, frozen=True):
    """A run to report.

    Attributes:
        run: its id; "" for the last run of each activity.
        since: when it began: ISO 8601, UTC.
        attempts: how often it could not be reported.
    """

    run: str
    since: str
    attempts: int = 0


def dagster_folder(data_dir: Path) -> Path:
    """Return the folder of Dagster's records."""
    return data_dir.absolute() / "dagster"


def keeps_records(data_dir: Path) -> bool:
    """Whether Dagster keeps records here, since its pages or the demo were started once."""
    try:
        return (dagster_folder(data_dir) / "dagster.yaml").exists()
    except OSError:  # a name that no folder can have, which the command itself has reported
        return False


def leave(data_dir: Path, notice: Notice) -> None:
    """Leave a notice for `pending`.

    Raises:
        StorageError: the disk refused.
    """
    path = _path(data_dir, notice)
    with storage_errors("write", path):
        private_folder(path.parent)
        write_durably(path, msgspec.json.encode(notice))


def pending(data_dir: Path) -> list[Notice]:
    """Return the notices, oldest first."""
    found = []
    for path in (dagster_folder(data_dir) / _FOLDER).glob("*.json"):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Notice))
        except (OSError, msgspec.DecodeError):  # removed or damaged: nothing to report
            path.unlink(missing_ok=True)
    return sorted(found, key=lambda notice: notice.since)


def done(data_dir: Path, notice: Notice) -> None:
    """Remove a notice that was reported."""
    _path(data_dir, notice).unlink(missing_ok=True)


def failed(data_dir: Path, notice: Notice) -> None:
    """Keep a notice for another attempt, up to a few times."""
    again = msgspec.structs.replace(notice, attempts=notice.attempts + 1)
    try:
        if again.attempts < _MOST_ATTEMPTS:
            leave(data_dir, again)
            return
    except StorageError:
        pass
    done(data_dir, notice)


def start_reporting(data_dir: Path, dagster_url: str | None = None) -> None:
    """Start the process that reports, without waiting for it.

    Args:
        data_dir: the data directory.
        dagster_url: of Dagster's records, if they are not in the data directory.

    Raises:
        OSError: it cannot be started.
    """
    home = dagster_folder(data_dir)
    records = {"TRACKLY_DAGSTER_URL": dagster_url} if dagster_url else {}
    environment = safe_environment(
        None, DAGSTER_HOME=str(home), TRACKLY_DATA_DIR=str(data_dir.absolute()), **records
    )
    command, log = module_command("assets.records.report"), str(home / "reporting.log")
    quiet: list[tuple[int, int, str, int, int]] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    quiet += [(os.POSIX_SPAWN_OPEN, stream, log, flags, 0o600) for stream in (1, 2)]
    # not Popen, which warns if no code waits for the process
    os.posix_spawn(command[0], command, environment, file_actions=quiet, setpgroup=0)


def _path(data_dir: Path, notice: Notice) -> Path:
    return dagster_folder(data_dir) / _FOLDER / f"{notice.run or 'before'}.json"
