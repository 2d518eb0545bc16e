"""What a killed Dagster has left running is ended by the next, and nothing else is."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from assets.ui.leftover_tails import end_leftover_tails


def _orphan(path: Path) -> int:
    """A process of a shell that has ended, which ignores SIGTERM as Dagster's do where it was started with `&`."""
    script = 'trap "" TERM; tail -F -c +0 "$0" >/dev/null 2>&1 & echo $!'
    return int(subprocess.run(["sh", "-c", script, str(path)], capture_output=True, check=True).stdout)


def _until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


def _command(pid: int) -> bytes:
    """How it was started; nothing where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are no files here")
def test_only_tails_of_this_folder_that_have_lost_their_dagster_are_ended(tmp_path: Path) -> None:
    """One of another folder, and one whose Python lives, go on."""
    home, other = tmp_path / "dagster", tmp_path / "dagster2"
    for folder in (home, other):
        folder.mkdir()
        (folder / "out").touch()
    left, of_others = _orphan(home / "out"), _orphan(other / "out")
    with subprocess.Popen(["tail", "-F", "-c", "+0", str(home / "out")], stdout=subprocess.DEVNULL) as used:
        try:
            assert _until(lambda: all(b"+0" in _command(pid) for pid in (left, of_others, used.pid)))
            assert end_leftover_tails(home) == 1
            assert _until(lambda: not _command(left))
            assert (used.poll(), bool(_command(of_others))) == (None, True)
        finally:
            used.kill()
            os.kill(of_others, signal.SIGKILL)
