"""`trackly-sync ui`: Dagster's pages and daemon; only one runs on a data directory, and it recovers after kill -9."""

import fcntl
import ipaddress
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout

from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out, tell
from pipelines.errors import BusyError, SettingsError, UsageError
from pipelines.process.exit_codes import FAILED
from pipelines.process.subprocesses import module_command, safe_environment
from pipelines.run_records.unreported import Notice, dagster_folder, keeps_records, leave
from pipelines.runs.recording import now
from pipelines.settings import Settings, load_settings
from pipelines.storage import private_folder, storage_errors

_ANY = ("0.0.0.0", "::", "[::]")  # noqa: S104 - compared, not listened on
"""Addresses that mean all interfaces; they are no host name for the guard to accept."""

_OURS = "# Written by `trackly-sync` at each start as long as this line is here; take it out to keep your changes.\n"
_DAGSTER_YAML = f"""\
{_OURS}
telemetry:
  enabled: false
nux:
  enabled: false # no invitation to a newsletter over the first page
concurrency: # a pull and a push may run together, two of a kind wait for each other
  pools:
    granularity: run
    default_limit: 1
  runs:
    max_concurrent_runs: 4 # commands that go on for long take a place as well
run_monitoring:
  enabled: true # runs that do not start or stop in time are marked
retention: # of ticks; runs are kept
  sensor:
    purge_after_days: {{skipped: 1, failure: 30, success: 30}}
  schedule:
    purge_after_days: {{skipped: 7, failure: 90, success: 90}}
"""
_ON_POSTGRES = """\
storage:
  postgres:
    postgres_url:
      env: TRACKLY_DAGSTER_URL
"""
_MOST_SECONDS = 60.0


@guarded
def ui(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65_535)] = 3000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback TRACKLY_UI_PASSWORD is needed.")
    ] = "127.0.0.1",
) -> int:
    """Serve the Dagster UI, its daemon and its code server, until Ctrl-C; for a workstation or a deployment.

    The UI has assets, checks, jobs, backfills by month, the schedules, and the sensor for new history (off unless
    TRACKLY_SCHEDULES is on). Dagster keeps its records in dagster/ of the data directory. After a restart, also after
    SIGKILL (`kill -9`), runs, queue and schedules are as before.

    Only the user who started the UI can use it, at localhost. If TRACKLY_UI_PASSWORD is set, everyone who knows the
    password can.

    Examples:
    - `trackly-sync ui`: at http://localhost:3000, for you alone.
    - `TRACKLY_UI_PASSWORD=... trackly-sync ui --host 0.0.0.0`: for others, behind a log-in.
    """
    settings = load_settings()
    if not _is_loopback(host) and settings.ui_password is None:
        raise SettingsError(
            "The UI can start runs, so beyond loopback it needs a password, and TRACKLY_UI_PASSWORD is not set.",
            "Set it, for example to what `openssl rand -hex 16` gives, or leave --host out.",
        )
    if settings.is_of_demo:
        tell(
            f"The data is a demo's, and its account is not served by this: a pull or push fails. With the account: "
            f"trackly-sync demo --ui --data-dir {settings.data_dir}"
        )
    return serve_pages(settings, host, port)


def serve_pages(
    settings: Settings,
    host: str,
    port: int,
    given: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> int:
    """Serve Dagster's pages until they are stopped, and return the exit code.

    Args:
        settings: where the data lies, and whether schedules are on.
        host: to listen on.
        port: the same.
        given: the environment for the settings of runs; by default this process's environment.
        folder: where runs look for .env; by default the working folder.

    Raises:
        BusyError: another `trackly-sync ui` is running there.
        UsageError: the port cannot be used.
    """
    is_new = not keeps_records(settings.data_dir)
    home = dagster_home(settings.data_dir, settings.dagster_url)
    if is_new:  # show earlier runs on the pages too
        leave(settings.data_dir, Notice("", now()))
    with _only_one(home) as lock_file:
        check_port(host, port)
        on = "on" if settings.schedules else "off (TRACKLY_SCHEDULES=on starts them)"
        out.print(
            f"Dagster at http://{host}:{port} in some seconds (data in {settings.data_dir}), schedules {on}. "
            "Ctrl-C stops it.",
            markup=False,
        )
        if host in _ANY and not settings.allowed_hosts:
            tell("It answers to localhost alone: TRACKLY_UI_HOSTS names the hosts that others ask for.")
        data_dir = str(settings.data_dir.absolute())
        records = {"TRACKLY_DAGSTER_URL": settings.dagster_url} if settings.dagster_url else {}
        environment = safe_environment(given, DAGSTER_HOME=str(home), TRACKLY_DATA_DIR=data_dir, **records)
        command = module_command("assets.ui.serve", host, str(port), str(lock_file.fileno()))
        return _serve(command, environment, lock_file, folder)


def _serve(
    command: list[str], environment: dict[str, str], lock_file: TextIOWrapper, folder: Path | None
) -> int:
    """Run Dagster until it ends or is stopped; no process of it is left when this returns."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        command, env=environment, cwd=folder, process_group=0, pass_fds=[lock_file.fileno()]
    ) as dagster:
        lock_file.write(str(dagster.pid))
        lock_file.flush()
        try:
            dagster.wait()
        except KeyboardInterrupt:
            # in a process group of its own it is stopped only from here, once; SIGTERM ends it without a traceback,
            # also during its imports
            dagster.terminate()
            dagster.wait()
            return 0
        finally:
            _end_group(dagster.pid)
    out.print("Dagster has ended by itself; its last lines are above.")
    return FAILED


def _end_group(group: int) -> None:
    """End Dagster's remaining processes; runs get time to clean up."""
    for number, seconds in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + seconds
        try:
            os.killpg(group, number)
            while time.monotonic() < deadline:
                time.sleep(0.1)
                os.killpg(group, 0)
        except ProcessLookupError:
            return


def check_port(host: str, port: int) -> None:
    """Check that a port can be used.

    Raises:
        UsageError: it cannot.
    """
    try:
        ((family, kind, _, _, address), *_) = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM
        )
        with socket.socket(family, kind) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(address)
    except OSError as error:
        raise UsageError(
            f"Port {port} of {host} cannot be used: {error.strerror}.", "Name another with --port or --host."
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@contextmanager
def _only_one(home: Path) -> Iterator[TextIOWrapper]:
    """Hold the lock of one Dagster per folder: two daemons would start every run twice.

    Yields:
        A file that is locked, for the Dagster process to inherit: it stays locked until both processes are gone.

    Raises:
        BusyError: another `trackly-sync ui` is running.
    """
    lock = FileLock(home / ".ui.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            f"Dagster is running on {home} already.", "Use that one, or stop it with Ctrl-C."
        ) from None
    try:
        with (home / ".dagster.lock").open("a+", encoding="utf-8") as lock_file:
            _take_over(lock_file)
            lock_file.truncate(0)
            yield lock_file
    finally:
        lock.release()


def _take_over(lock_file: TextIOWrapper, seconds: float = _MOST_SECONDS) -> None:
    """Lock the file; if a Dagster without its `ui` still holds the lock, stop that Dagster.

    Args:
        lock_file: open; it holds the id of the process that locked it.
        seconds: how long to wait for the end of that process.

    Raises:
        BusyError: the process does not stop.
    """
    deadline = time.monotonic() + seconds
    asked = False
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not asked:
                lock_file.seek(0)
                with suppress(ProcessLookupError, ValueError):  # the process has ended, or has just started
                    os.kill(int(lock_file.read()), signal.SIGINT)
                asked = True
            time.sleep(0.2)
        else:
            return
    raise BusyError("A Dagster of an earlier start does not stop.", "End its processes, then start again.")


def dagster_home(data_dir: Path, url: str | None = None) -> Path:
    """Return Dagster's folder in a data directory; it is made if needed.

    Args:
        data_dir: the data directory.
        url: of a PostgreSQL database for Dagster's records; by default the records are in the folder.

    Raises:
        SettingsError: the library for PostgreSQL is not installed.
        StorageError: the disk refused.
    """
    if url and find_spec("dagster_postgres") is None:
        raise SettingsError(
            "TRACKLY_DAGSTER_URL needs the package dagster-postgres.", "Install trackly-sync[postgres]."
        )
    home = dagster_folder(data_dir)
    with storage_errors("make", home):
        private_folder(home)
        config = home / "dagster.yaml"
        if not config.exists() or config.read_text(encoding="utf-8").startswith(_OURS):
            config.write_text(_DAGSTER_YAML + (_ON_POSTGRES if url else ""), encoding="utf-8")
    return home
