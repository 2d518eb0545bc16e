"""Processes that a Dagster which was killed together with its watchers has left: `tail -F` of what its steps print.

Dagster starts one for each stream of a step, and a watcher that ends it; nobody does where both were killed. What
must not go in: runs that were under way then (`serve`).
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROCESSES = Path("/proc")
_INIT = 1


def end_leftover_tails(home: Path) -> int:
    """End those that follow a file of Dagster's folder and have lost their Dagster; returns how many.

    Only where the system shows processes as files, as Linux does.
    """
    ended = 0
    for pid in _tails(home):
        with suppress(OSError):  # it has ended
            if _is_orphan(pid):
                os.kill(pid, signal.SIGKILL)  # SIGTERM is ignored by what a shell started in the background
                ended += 1
    return ended


def _tails(home: Path) -> Iterator[int]:
    """Our user's processes that were started as Dagster starts them, for a file in the folder."""
    within = os.fsencode(home.absolute()) + b"/"
    for process in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            command = (process / "cmdline").read_bytes().split(b"\0")
            is_ours = command[:4] == [b"tail", b"-F", b"-c", b"+0"] and process.stat().st_uid == os.getuid()
            if is_ours and command[4:5] and command[4].startswith(within):
                yield int(process.name)


def _is_orphan(pid: int) -> bool:
    """Whether the Python is gone that started it: a run of a command goes on with its own."""
    parent = int((_PROCESSES / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[1])
    return parent == _INIT or b"python" not in (_PROCESSES / str(parent) / "cmdline").read_bytes()
