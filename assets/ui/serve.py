"""Dagster's code server, pages and daemon for a deployment: `python -m assets.ui.serve HOST PORT LOCK`.

The program cleans up after a process that died, then keeps the three programs running until one of them ends or it is
stopped. `dagster dev` is similar, but its pages have no access control (see `guard`). The code server, which starts
runs, listens on a socket in a folder of its user only. What must not go in: the place of DAGSTER_HOME and the
contents of dagster.yaml (`trackly-sync ui`).
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from assets.records.unreported import unreported
from assets.runs.pools import limit_pools
from assets.runs.started_by import by_command_line
from assets.ui.leftover_tails import end_leftover_tails
from assets.ui.location import LOCATION
from assets.ui.relay import relayed
from pipelines.errors import TracklySyncError
from pipelines.process.subprocesses import module_command, safe_environment
from pipelines.run_records.unreported import pending, start_reporting
from pipelines.settings import Settings, load_settings
from pipelines.storage import be_private
from pipelines.webhooks.queue.state import received

_log = logging.getLogger(__name__)

_LONGEST_SOCKET = 100
"""Longest path of a socket in bytes, a few less than the system's limit."""

_HEED_SECONDS, _STOP_SECONDS = 10.0, 60.0
_SOON_SECONDS, _DAY_SECONDS = 600.0, 86_400.0
_LOOK_SECONDS, _WAIT_SECONDS = 15.0, 60.0
_LONG = timedelta(seconds=20)
"""Duration of a command-line run after which the pages show it as started."""

_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def settle_stale_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed whose process is gone; otherwise they would keep their place in the queue forever.

    Call this only before the daemon starts, when no other process starts runs. Queued runs are left to the daemon.

    Returns:
        The ids of these runs.
    """
    settled = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        if not by_command_line(run) and not any(_alive(pid) for pid in _pids(instance, run.run_id)):
            instance.report_run_failed(
                run,
                "The process of this run is gone: the machine or Dagster was stopped. Nothing is half-done; run it "
                "again.",
            )
            settled.append(run.run_id)
    return settled


def _pids(instance: dg.DagsterInstance, run_id: str) -> list[int]:
    """Return the processes that a run has recorded."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    found = [
        entry.dagster_event.engine_event_data.metadata.get("pid") for entry in entries if entry.dagster_event
    ]
    return [int(str(value.value)) for value in found if value]


def _alive(pid: int) -> bool:
    """Whether this is a Python process, since another process may have the number now."""
    try:
        os.kill(pid, 0)
    except OSError:  # no such process, or another user's
        return False
    command = Path(f"/proc/{pid}/cmdline")
    return b"python" in command.read_bytes() if command.exists() else True


def main(host: str, port: str, lock: str) -> int:
    """Mark stale runs as failed, then serve until stopped; return 1 if a program ends by itself.

    Args:
        host: to listen on.
        port: the same.
        lock: the descriptor of a locked file, which no started program may hold after this process has ended.
    """
    be_private()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        os.set_inheritable(int(lock), False)
        end_leftover_tails(Path(os.environ["DAGSTER_HOME"]))
        with dg.DagsterInstance.get() as instance:
            limit_pools(instance)
            for run in settle_stale_runs(instance):
                print(f"Run {run} was under way when Dagster was stopped; marked as failed.", flush=True)  # noqa: T201
        settings = load_settings()
        with _socket_folder() as folder:
            return _keep(_programs(settings, folder, host, port), folder / "code", settings)
    except KeyboardInterrupt:
        return 0


def _programs(settings: Settings, folder: Path, host: str, port: str) -> list[list[str]]:
    """Return the code server, the pages and the daemon, each as a module with its arguments."""
    workspace = folder / "workspace.yaml"
    workspace.write_text(
        f"load_from:\n  - grpc_server:\n      socket: {folder / 'code'}\n      location_name: {LOCATION}\n",
        encoding="utf-8",
    )
    log = _logging(settings)
    return [
        ["dagster", "code-server", "start", "--socket", str(folder / "code"), "-m", LOCATION,
         "--working-directory", str(_own_folder()),  # Python would import from this folder, so it holds no modules
         "--location-name", LOCATION, "--use-python-environment-entry-point", *log],
        ["assets.ui.webserver", str(workspace), host, port],
        ["dagster._daemon", "run", "-w", str(workspace), *log],
    ]  # fmt: skip


def _logging(settings: Settings) -> list[str]:
    """Return log options for Dagster's programs; only warnings, since sensors log every half minute."""
    log = ["--log-level", settings.log_level or "warning"]
    return [*log, "--log-format", "json"] if settings.log_format == "json" else log


def _keep(programs: Sequence[Sequence[str]], code_socket: Path, settings: Settings) -> int:
    """Start the programs, the code server first, and stop all when one ends or SIGINT comes.

    Meanwhile records are updated, and old ones are removed once a day.
    """
    reading, writing = os.pipe()
    started: list[subprocess.Popen[bytes]] = []
    try:
        with relayed() as (output, errors):
            for program in programs:
                command = module_command("assets.ui.child_program", str(reading), *program)
                started.append(
                    subprocess.Popen(  # noqa: S603 - our own interpreter
                        command,
                        env=safe_environment(),
                        pass_fds=[reading],
                        stdout=output.writing,
                        stderr=errors.writing,
                    )
                )
                while not code_socket.exists() and started[0].poll() is None:
                    time.sleep(0.05)
            with dg.DagsterInstance.get() as instance:
                due = _Due(instance, settings)
                while all(process.poll() is None for process in started):
                    time.sleep(0.5)
                    due.report()
        return 1
    finally:
        os.close(writing)
        os.close(reading)
        for process in reversed(started):  # the code server last, since runs are its children
            _wait_for_end(process)


def _wait_for_end(
    process: subprocess.Popen[bytes], heed: float = _HEED_SECONDS, more: float = _STOP_SECONDS
) -> None:
    """Wait for a program after its pipe was closed, which ends it silently; stop a program that does not end.

    Args:
        process: the program.
        heed: seconds until the program is asked to end.
        more: seconds from then until it is killed.
    """
    for seconds, stop in ((heed, process.terminate), (more, process.kill)):
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            stop()
        else:
            return


class _Due:
    """Decides when to update Dagster's records.

    Args:
        instance: Dagster's records.
        settings: where everything lies.
        clock: returns seconds from any starting point.
    """

    def __init__(
        self, instance: dg.DagsterInstance, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._instance, self._settings, self._clock = instance, settings, clock
        self._noticed: set[str] = set()
        now = clock()
        self._daily = now if pending(settings.data_dir) else now + _SOON_SECONDS
        self._look, self._count = now + _LOOK_SECONDS, now + _SOON_SECONDS
        self._bodies = -1

    def report(self) -> None:
        """Start the process that reports, if it is time; if it cannot be started, the pages continue."""
        if not self.now():
            return
        try:
            start_reporting(self._settings.data_dir, self._settings.dagster_url)
        except OSError as error:
            self._daily = min(self._daily, self._clock() + _SOON_SECONDS)
            _log.warning(
                "What the command line did is not in Dagster's records yet: no process can be started (%s). "
                "The next attempt is in %.0f minutes.",
                error.strerror or type(error).__name__,
                _SOON_SECONDS / 60,
            )

    def now(self) -> bool:
        """Whether it is time: daily, when a command takes long or was killed, and after webhook events."""
        now = self._clock()
        if now >= self._daily:
            self._daily, self._look = now + _DAY_SECONDS, now + _WAIT_SECONDS
            return True
        if now < self._look:
            return False
        try:
            found = self._is_left() or self._is_behind() or self._events_came()
        except (
            SQLAlchemyError,
            OSError,
            TracklySyncError,
        ) as error:  # a database restarts: the pages continue
            _log.warning("What to report could not be looked for: %s", type(error).__name__)
            found = False
        self._look = now + (_WAIT_SECONDS if found else _LOOK_SECONDS)
        return found

    def _is_behind(self) -> bool:
        return bool(unreported(self._instance, self._settings, _LONG))

    def _is_left(self) -> bool:
        """Whether a notice is still there since the last call.

        Its reporting process was ended together with its command.

        systemd and containers end processes in this way.
        """
        before, self._noticed = self._noticed, {notice.run for notice in pending(self._settings.data_dir)}
        return bool(before & self._noticed)

    def _events_came(self) -> bool:
        """Whether the webhook receiver got requests since the last call; checked a few times an hour."""
        now = self._clock()
        if now < self._count:
            return False
        self._count, before = now + _SOON_SECONDS, self._bodies
        found = received(self._settings)
        self._bodies = found.bodies if found else -1
        return self._bodies > before


def _own_folder() -> Path:
    """Return an empty folder inside Dagster's."""
    folder = Path(os.environ["DAGSTER_HOME"]) / "tmp"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def _socket_folder() -> Iterator[Path]:
    """Yield a folder for sockets of this user only; inside Dagster's folder if the path is short enough."""
    home = _own_folder()
    own = len(os.fsencode(home)) + len("/ui-12345678/tmp-socket-12345678") < _LONGEST_SOCKET
    with tempfile.TemporaryDirectory(prefix="ui-", dir=home if own else None) as folder:
        os.environ["TMPDIR"] = folder  # Dagster's programs make their sockets there
        tempfile.tempdir = None
        yield Path(folder)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
