"""Removes what a killed push, plan or settlement left in the data directory; every command runs this first.

The record of a killed push is completed at the same time. Removed are:

    .work-*              copies of a dry run, readings of contacts (`storage.work_folder`)
    push/.*.building     a half-built stage, with the files that DuckDB wrote for it
    push/*.duckdb        if phone numbers are hashed: a stage that was not sent to its end; it is redacted

Nothing is touched that a running process uses. A stage is in use from its intake until the process of that intake
ends: an orchestrator sends it in a later step, and holds no lock in between. What does not belong here: the remains
of a killed pull, which the next pull uses (`pipelines.pull.replies.spool`).
"""

import fcntl
import os
import shutil
from pathlib import Path

from pipelines.errors import BusyError, StorageError
from pipelines.runs.activity_state import unended
from pipelines.settings import Settings
from pipelines.storage import private_folder, storage_errors, sweep
from schemas.registry import PUSHED

_held: dict[Path, int] = {}
"""By data directory, the open lock file with which this process holds its stages until it ends."""


def hold_stages(data_dir: Path) -> None:
    """Keep other commands from redacting the stages of a data directory until this process ends.

    Raises:
        StorageError: the disk refused.
    """
    if data_dir not in _held:
        with storage_errors("lock", _lock(data_dir)):
            private_folder(data_dir / "push")
            _held[data_dir] = os.open(_lock(data_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(_held[data_dir], fcntl.LOCK_SH)


def tidy(settings: Settings) -> None:
    """Remove what killed processes left, and complete their records; usually this only looks at file names.

    Raises:
        StorageError: the disk refused.
    """
    sweep(settings.data_dir)
    _complete_killed(settings)
    if settings.data_dir in _held:
        return
    folder = settings.data_dir / "push"
    if not (_half_built(folder) or _with_phones(settings)):
        return
    from pipelines.push.ledger.lock import push_lock  # noqa: PLC0415 - most commands find nothing to do

    try:
        with push_lock(settings.data_dir):
            _tidy_stages(settings)
    except BusyError:  # the stages are in use
        return


def _complete_killed(settings: Settings) -> None:
    """Give killed pushes their figures, wherever runs are shown."""
    if any(
        one.status == "killed" and one.rows is None and one.activity.startswith("push ")
        for one in unended(settings.data_dir)
    ):
        from pipelines.push.ledger.killed_pushes import complete_killed_if_known  # noqa: PLC0415 - as above

        complete_killed_if_known(settings)


def _tidy_stages(settings: Settings) -> None:
    from pipelines.privacy import Privacy  # noqa: PLC0415 - as above
    from pipelines.push.stage.redact import is_readable, put_away  # noqa: PLC0415 - the same

    for path in _half_built(settings.data_dir / "push"):
        with storage_errors("remove", path):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if not _free(settings.data_dir):
        return
    privacy = Privacy.of(settings)
    for name, path in _with_phones(settings).items():
        try:
            put_away(path, PUSHED[name], privacy)
        except StorageError:
            if is_readable(path):
                raise
            # killed during a write, or of another version: an intake builds it again
            for one in (path, path.with_name(f"{path.name}.wal")):
                one.unlink(missing_ok=True)


def _half_built(folder: Path) -> list[Path]:
    """Return the files and folders that an intake leaves if it is killed; a running intake has them too."""
    return [*folder.glob(".*.building*"), *folder.glob("*.spill")]


def _with_phones(settings: Settings) -> dict[str, Path]:
    """Return the stages that hold phone numbers and should not, by dataset."""
    if settings.hash_phones is None:
        return {}
    from pipelines.push.stage.database import stage_path  # noqa: PLC0415 - the same
    from pipelines.push.stage.redact import holds_phones  # noqa: PLC0415 - as above

    paths = {name: stage_path(settings, name) for name in PUSHED}
    return {name: path for name, path in paths.items() if path.exists() and holds_phones(path)}


def _free(data_dir: Path) -> bool:
    """Return whether no process holds the stages."""
    if not _lock(data_dir).exists():
        return True
    handle = os.open(_lock(data_dir), os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _lock(data_dir: Path) -> Path:
    return data_dir / "push" / ".stages.lock"
