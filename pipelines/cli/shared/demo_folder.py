"""The folder of a demo. A folder is emptied only if a demo has made it and no process uses it.

What does not belong here: the demo's data (`commands.demo`), and Dagster's own lock (`commands.ui`).
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.errors import BusyError, UsageError
from pipelines.run_records.unreported import dagster_folder
from pipelines.runs.run_state import unended_runs
from pipelines.settings import DEMO_MARKER
from pipelines.storage import is_locked, private_folder, storage_errors
from pipelines.webhooks.at_work import is_at_work

_TEXT = "This folder is emptied by each demo.\n"


@contextmanager
def own_folder(data_dir: Path) -> Iterator[None]:
    """Reserve the folder for this demo during a block; the folder is made if needed.

    Raises:
        UsageError: the folder holds something else.
        BusyError: another demo is running in it.
        StorageError: the disk refused.
    """
    marker = data_dir / DEMO_MARKER
    if data_dir.exists() and not marker.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise UsageError(f"{data_dir} is not empty and no demo has made it.", "Name another with --data-dir.")
    with storage_errors("make", data_dir):
        private_folder(data_dir)
        lock = marker.open("a+", encoding="utf-8")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(data_dir, "Another demo") from None
        with storage_errors("write", marker):
            lock.truncate(0)
            lock.write(_TEXT)
            lock.flush()
        yield


def empty(data_dir: Path) -> None:
    """Empty the folder, within `own_folder`.

    Raises:
        BusyError: Dagster, a command, or a receiver of webhook events is running in it.
        StorageError: the disk refused.
    """
    if _has_dagster(data_dir):
        raise _busy(data_dir, "Dagster")
    if "running" in unended_runs(data_dir).values():
        raise _busy(data_dir, "A run")
    if is_at_work(data_dir):
        raise _busy(data_dir, "A receiver of webhook events")
    with storage_errors("empty", data_dir):
        for path in data_dir.iterdir():
            if path.name == DEMO_MARKER:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def refuse_while_served(data_dir: Path) -> None:
    """Check that no `ui` serves the folder; the next `ui` takes over a Dagster whose `ui` was killed.

    Raises:
        BusyError: a `ui` serves it.
    """
    if _has_ui(dagster_folder(data_dir)):
        raise _busy(data_dir, "Dagster")


def _busy(data_dir: Path, who: str) -> BusyError:
    return BusyError(
        f"{who} is running on {data_dir}.",
        "Use that one, stop it with Ctrl-C, or name another with --data-dir.",
    )


def _has_dagster(data_dir: Path) -> bool:
    """Whether a `ui`, or a process that it started, is running on the folder."""
    home = dagster_folder(data_dir)
    return _has_ui(home) or is_locked(home / ".dagster.lock")


def _has_ui(home: Path) -> bool:
    if not (home / ".ui.lock").exists():
        return False
    try:
        with FileLock(home / ".ui.lock").acquire(timeout=0):
            return False
    except Timeout:
        return True
