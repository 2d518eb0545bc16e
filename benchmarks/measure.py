"""Running a command and reading its time and the memory of its whole process tree."""

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """What a command took.

    Attributes:
        output: its standard output.
        seconds: wall-clock time.
        peak_mb: the most resident memory that its processes held together, in MB; pages that they share are
            counted once for each.
    """

    output: str
    seconds: float
    peak_mb: float


def measure(command: Sequence[str], cwd: Path) -> Measured:
    """Run a command to its end; it must succeed."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd) as process:
        peak = _Peak(process.pid)
        with peak:
            output, _ = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return Measured(output, seconds, peak.mb)


class _Peak:
    """Samples the memory of a process and its descendants 20 times a second."""

    def __init__(self, root: int) -> None:
        self.mb = 0.0
        self._root = root
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(0.05):
            self.mb = max(self.mb, sum(map(_resident_mb, _tree(self._root))))


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:
        try:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
        except OSError:  # it ended meanwhile, or a thread of it did
            continue
    return found


def _resident_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:  # it ended meanwhile
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0
