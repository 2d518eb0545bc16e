"""Processes that are forked from one that has imported everything and has pulled once (see `warmed`).

To start one takes a tenth of what it takes otherwise, and its first pull half. They are processes like others: of
their own, with their own environment, and killed by signals. What imports do is for tests that start the installed
script.
"""

import atexit
import gc
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Mapping
from functools import cache
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

from filelock import FileLock

_TESTS = Path(__file__).parent

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["warmed"])


class Forked:
    """A process that runs a function; what it has in common with `subprocess.Popen` goes by the same names.

    Args:
        work: a function of a module.
        arguments: what it is called with.
        environment: of the process, and no other.
        folder: where it runs.
    """

    def __init__(
        self,
        work: Callable[..., object],
        arguments: tuple[Any, ...],
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        kept = Path(tempfile.mkdtemp())
        self.stdout, self.stderr = kept / "stdout", kept / "stderr"
        for stream in (self.stdout, self.stderr):
            stream.touch()
        given = (work, arguments, dict(environment), folder, (self.stdout, self.stderr))
        self._process = _context.Process(target=_run, args=given)
        _run_server()
        self._process.start()
        weakref.finalize(self, _end, self._process, kept)

    @property
    def returncode(self) -> int:
        """How it ended: a signal as a negative number."""
        assert self._process.exitcode is not None
        return self._process.exitcode

    @property
    def state(self) -> str:
        """Its state as the system calls it, such as T: it was stopped by a signal."""
        return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a process of a test", timeout or 0)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process.pid
        if self.poll() is None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Wait for its end; what it wrote to its standard output and its standard error."""
        self.wait(timeout)
        return self.stdout.read_bytes(), self.stderr.read_bytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if kind:
            self.kill()
        self.wait()


@cache
def _run_server() -> None:
    """Have the process that the others are forked from: one for all workers of a test run, since it costs seconds."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        _start_server()
        return
    note = Path(tempfile.gettempdir()) / f"forked-{run}"
    with FileLock(f"{note}.lock"):
        if note.exists() and _join_server(*json.loads(note.read_text())):
            return
        _start_server()
        server: Any = forkserver._forkserver
        alive = f"/proc/{os.getpid()}/fd/{server._forkserver_alive_fd}"
        note.write_text(json.dumps([server._forkserver_address, alive]))
    for file in (note, Path(f"{note}.lock")):  # a worker's process lives as long as the run
        atexit.register(file.unlink, missing_ok=True)


def _start_server() -> None:
    """Start it; it finds our modules by the environment."""
    ours = os.pathsep.join(str(folder) for folder in (_TESTS.parent, _TESTS))
    with patch.dict(os.environ, PYTHONPATH=ours):
        forkserver.ensure_running()


def _join_server(address: str, alive: str) -> bool:
    """Use the one of another worker; without success where that worker is gone, or a system has no /proc.

    Args:
        address: the path of its socket.
        alive: the path of the pipe that it watches: it ends once nobody has that open.
    """
    server: Any = forkserver._forkserver
    try:
        server._forkserver_alive_fd = os.open(alive, os.O_WRONLY)
    except OSError:
        return False
    server._forkserver_address = address
    server.ensure_running = resource_tracker.ensure_running  # what else it does is for one's own child
    return True


def _end(process: Any, kept: Path) -> None:
    """Leave nothing behind of a process, also where its test has failed."""
    if process.is_alive():
        process.kill()
        process.join()
    shutil.rmtree(kept, ignore_errors=True)


def _run(
    work: Callable[..., object], arguments: tuple[Any, ...], environment: dict[str, str], folder: Path,
    streams: tuple[Path, ...],
) -> None:  # fmt: skip
    gc.freeze()  # what was imported is no garbage, and to look through it takes a tenth of a second or two
    # a shell's background, where the tests may run, ignores it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(0o022)  # a shell's; a test before may have made its own process, and so this one, a private one
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, stream in enumerate(streams, 1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), descriptor)
    work(*arguments)
