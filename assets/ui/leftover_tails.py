"""Ends `tail -F` processes for the output of steps, left by a Dagster that was killed together with its watchers.

Dagster starts one for each stream of a step, and a watcher that ends it. If both were killed, the process stays. What
must not go in: runs that were under way (`serve`).
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROCESSES = Path("/proc")
_INIT = 1


def end_leftover_tails(home: Path) -> int:
    """End processes that follow a file in Dagster's folder and whose Dagster is gone; return their number.

    This works only on systems that show processes as files, such as Linux.
    """
    ended = 0
    for pid in _tails(home):
        with suppress(OSError):  # it has ended
            if _is_orphan(pid):
                os.kill(pid, signal.SIGKILL)  # background processes of a shell ignore SIGTERM
                ended += 1
    return ended


def _tails(home: Path) -> Iterator[int]:
    """Yield our user's processes with Dagster's command line, for a file in the folder."""
    within = os.fsencode(home.absolute()) + b"/"
    for process in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            command = (process / "cmdline").read_bytes().split(b"\0")
            is_ours = command[:4] == [b"tail", b"-F", b"-c", b"+0"] and process.stat().st_uid == os.getuid()
            if is_ours and command[4:5] and command[4].startswith(within):
                yield int(process.name)


def _is_orphan(pid: int) -> bool:
    """Whether the Python process that started it is gone; a running command keeps its own."""
    parent = int((_PROCESSES / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[1])
    return parent == _INIT or b"python" not in (_PROCESSES / str(parent) / "cmdline").read_bytes()
