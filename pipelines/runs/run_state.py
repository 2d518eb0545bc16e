"""Shows whether a complete run (its process, or its Dagster job) is under way or was killed, also between activities.

There is a locked file in `runs/` from a run's first activity to the end of `whole_run`. A process that is killed
leaves the file unlocked, with the time of its last sign of life. What does not belong here: the activities of a run
(`recording`).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from threading import Lock

from pipelines.process import heartbeat
from pipelines.storage import private_folder

MARK = ".run"
_MOST_BYTES = 4_096
_DIGEST_BYTES = 6


@dataclass(frozen=True, slots=True)
class _Whole:
    """A run that this process has begun.

    Attributes:
        asked: its command, such as `pull all, push all`; "" if only the activities name it.
        marks: its files, each with the handle that holds its lock; none before the first activity.
    """

    asked: str = ""
    marks: dict[Path, int] = field(default_factory=dict)


_open: dict[str, _Whole] = {}
_changing = Lock()


@contextmanager
def whole_run(run: str, asked: str = "") -> Iterator[None]:
    """Mark a run as under way during a block, also between two activities.

    Args:
        run: the run's id.
        asked: what was asked for, as `pull all, push all`; "" where only the activities say it.
    """
    if run in _open:
        yield
        return
    _open[run] = whole = _Whole(asked)
    try:
        yield
    finally:
        with _changing:
            del _open[run]
            for path, handle in whole.marks.items():
                heartbeat.end(handle)
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                os.close(handle)


def show_begun(data_dir: Path, run: str) -> None:
    """Mark a run of `whole_run` as begun; if the mark cannot be written, continue without it."""
    path = data_dir / "runs" / f"{tag(run)}-{os.getpid()}{MARK}"
    with _changing, suppress(OSError):
        whole = _open.get(run)
        if whole is None or path in whole.marks:
            return
        private_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        whole.marks[path] = handle
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, run.encode())
        heartbeat.begin(handle)


def asked_of(run: str) -> str:
    """Return the commands of a run of `whole_run`, joined by ", "; "" if not known."""
    whole = _open.get(run)
    return whole.asked if whole else ""


def unended_runs(data_dir: Path) -> dict[str, str]:
    """Return runs that have not ended, by run: `running`, or `killed` if their process is gone."""
    found: dict[str, str] = {}
    for path in (data_dir / "runs").glob(f"*{MARK}"):
        try:
            handle = os.open(path, os.O_RDWR)
        except OSError:  # it ended meanwhile, or is another user's
            continue
        try:
            is_killed = lock(handle)
            run = os.read(handle, _MOST_BYTES).decode(errors="replace")
            if run and not has_ended(handle) and found.get(run) != "running":
                found[run] = "killed" if is_killed else "running"
        finally:
            os.close(handle)
    return found


def others_running(data_dir: Path) -> list[str]:
    """Return runs under way in other processes."""
    return [run for run, state in unended_runs(data_dir).items() if state == "running" and run not in _open]


def last_sign(data_dir: Path, run: str) -> str | None:
    """Return when a killed run was last at work: ISO 8601, UTC; None if no mark of it is left."""
    found = []
    for path in (data_dir / "runs").glob(f"{tag(run)}-*{MARK}"):
        with suppress(OSError), path.open("rb") as file:
            found.append(heartbeat.last_sign(file.fileno()))
    return max(found, default=None)


def remove_killed(data_dir: Path, before: float) -> None:
    """Remove marks of killed runs that began before a time, in seconds since 1970.

    Raises:
        OSError: a file cannot be removed.
    """
    for path in (data_dir / "runs").glob(f"*{MARK}"):
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mtime < before and lock(file.fileno()):
                path.unlink(missing_ok=True)


def lock(handle: int) -> bool:
    """Lock a file until it is closed; return whether this worked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def has_ended(handle: int) -> bool:
    """Whether a mark was removed since it was opened: its process ended normally, and was not killed."""
    return os.fstat(handle).st_nlink == 0


def tag(run: str) -> str:
    """Return a run's id as a part of file names, with a fixed length."""
    return blake2b(run.encode(), digest_size=_DIGEST_BYTES).hexdigest()
