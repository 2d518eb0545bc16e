"""How commands end: with an error that nobody thought of, at a port that is taken, and by Ctrl-C at a bad moment."""

import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
import typer
from commands import Done, started
from forked import Forked
from peers import Seen, serving
from receiving import SECRET, arrive, delivery

from pipelines import cli
from pipelines.cli.commands import ui
from pipelines.cli.shared.exits import guarded, leave, verbose
from pipelines.cli.shared.report_to_dagster import hand_over
from pipelines.cli.terminal.help import Group
from pipelines.errors import BusyError, SettingsError
from pipelines.settings import DEMO_MARKER, load_settings
from pipelines.webhooks.queue.store import Rejection, now, open_store

Sync = Callable[..., Done]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("is_verbose", [True, False])
def test_an_error_that_nobody_thought_of_is_two_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_verbose: bool
) -> None:
    """Its kind, and how to see more; no text of it, which may quote data, unless that is asked for."""
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def broken() -> int:
        raise ZeroDivisionError("of +15550001111")

    before = verbose.set(is_verbose)
    try:
        with pytest.raises(typer.Exit) as end:
            guarded(broken)()
    finally:
        verbose.reset(before)
    text = capsys.readouterr().err
    assert end.value.exit_code == 1
    assert "ZeroDivisionError. This is a defect; please report it." in text
    assert ("+15550001111" in text, "--verbose" in text) == (is_verbose, not is_verbose)


def test_verbose_shows_where_an_error_came_from(sync: Sync) -> None:
    done = sync("--verbose", "pull", TRACKLY_API_KEY=None)
    assert done.returncode == 2
    assert "TRACKLY_API_KEY is not set" in done.stderr
    assert "require_key" in done.stderr


def test_a_stop_between_commands_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C while arguments are read reaches typer, which makes an Abort of it."""

    def stopped(*_: Any, **__: Any) -> None:
        raise typer.Abort

    monkeypatch.setattr(typer.core.TyperGroup, "main", stopped)
    with pytest.raises(SystemExit) as end:
        Group(name="x").main([])
    assert (end.value.code, capsys.readouterr().err) == (130, "Stopped. Nothing was done.\n")


@pytest.mark.parametrize("work", ["_print_and_leave", "_print_and_be_stopped"])
def test_a_stop_after_the_work_keeps_its_output_and_its_exit_code(tmp_path: Path, work: str) -> None:
    """While the interpreter clears up, and while the run is reported to Dagster."""
    with Forked(globals()[work], (), {}, tmp_path) as process:
        shown, complained = process.communicate(60)
    assert (process.returncode, shown, complained) == (3, b"done\n", b"")


def _print_and_leave() -> None:
    print("done")  # noqa: T201 - into a file, so that it is not written at once
    leave(3)


def _print_and_be_stopped() -> None:
    def stop(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is hand_over.__code__:
            signal.raise_signal(signal.SIGTERM)

    def work() -> int:
        print("done")  # noqa: T201 - as above
        return 3

    sys.setprofile(stop)
    guarded(work)()


def test_results_that_cannot_be_written_are_an_error_and_remarks_are_not(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """The log of a cron job is on a disk that is full: named as what it is, and no work is lost by it."""

    def ended(number: int, *arguments: str) -> tuple[int, str, str]:
        with Forked(_at_a_full_disk, (number, arguments), environment, tmp_path) as process:
            shown, complained = process.communicate(120)
        return process.returncode, shown.decode(), complained.decode()

    code, shown, complained = ended(2, "--verbose", "pull", "lists", "offers")
    assert (code, complained) == (0, "")
    assert "Published in" in shown
    words = ("Error: Standard output cannot be written: No space left on device.", "trackly-sync runs shows")
    for line in ("pull lists", "status --json", "rejects --csv", "logs", "push --help", "--version"):
        code, _, complained = ended(1, *line.split())
        assert (code, [word in complained for word in words]) == (1, [True, True]), (line, complained)
    assert ended(-1, "pull", "lists")[0] == 1, "nor is it a traceback where there is no place for it"
    runs = json.loads(ended(0, "runs", "--json")[1])
    assert {one["status"] for one in runs} == {"succeeded"}


def _at_a_full_disk(number: int, arguments: tuple[str, ...]) -> None:
    """With that stream on a full disk; 0 for none, -1 for both."""
    for one in (1, 2) if number < 0 else (number,) if number else ():
        os.dup2(os.open("/dev/full", os.O_WRONLY), one)
    sys.argv = ["trackly-sync", *arguments]
    cli.main()


def test_a_port_that_is_taken_is_named(sync: Sync, taken: int, tmp_path: Path) -> None:
    """With what sets another; of a demo's data the UI says whose account it is."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / DEMO_MARKER).touch()
    assert "needs a contact" in sync("sandbox", "--contacts", "0", "--history", "made").stderr
    for command in ("sandbox --contacts 20", "ui"):
        done = sync(*command.split(), "--port", str(taken))
        assert (done.returncode, done.stdout) == (2, "")
        assert f"Port {taken}" in done.stderr
        assert "cannot be used: Address already in use" in " ".join(done.stderr.split())
        assert ("The data is a demo's" in done.stderr) is (command == "ui")


def test_the_sandbox_tells_how_to_reach_it_and_stops(environment: dict[str, str], tmp_path: Path) -> None:
    """What it prints is what another terminal needs, an exception from its proxy too; Ctrl-C ends it."""
    given = {**environment, "HTTP_PROXY": "ftp://127.0.0.1:9", "http_proxy": "ftp://127.0.0.1:9"}
    arguments = ("sandbox", "--contacts", "20", "--history", "made", "--drift", "0.5")
    events = ("--webhook", "http://127.0.0.1:9/", "--worst-day")
    with started((*arguments, *events), given, tmp_path) as process:
        deadline = time.monotonic() + 60
        while b"Ctrl-C" not in (text := process.stdout.read_bytes()):
            assert process.poll() is None, process.stderr.read_bytes()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        exports = dict(line[7:].split("=", 1) for line in text.decode().splitlines() if line[:7] == "export ")
        assert exports["TRACKLY_HISTORY_DIR"] == str(tmp_path / "made")
        assert exports["NO_PROXY"].startswith("127.0.0.0/8")
        place, _, path = exports["TRACKLY_BASE_URL"].removeprefix("http://").partition("/")
        with closing(http.client.HTTPConnection(place, timeout=30)) as connection:
            connection.request("GET", f"/{path}/contacts", headers={"X-Api-Key": exports["TRACKLY_API_KEY"]})
            assert len(json.loads(connection.getresponse().read())["contacts"]) == 20
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130)
    assert sorted(path.stem for path in (tmp_path / "made").iterdir()) == ["clicks", "revenue", "sends"]


def test_pages_that_end_by_themselves(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A failure, with the way to its cause; that it answers to this machine alone is told before."""
    settings = load_settings(_env_file=None, data_dir=tmp_path / "data")
    with socket.socket() as free:
        free.bind(("0.0.0.0", 0))  # noqa: S104 - it is closed again
        port = free.getsockname()[1]
    assert ui.serve_pages(settings, "0.0.0.0", port, {"PYTHONHOME": "/nowhere"}, tmp_path) == 1  # noqa: S104 - it ends at once
    shown = capfd.readouterr()
    assert "Dagster has ended by itself; its last lines are above." in shown.out
    assert "TRACKLY_UI_HOSTS names the hosts" in " ".join(shown.err.split())
    monkeypatch.setattr(ui, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="needs the package dagster-postgres"):
        ui.dagster_home(tmp_path, "postgresql://127.0.0.1/x")


def test_a_dagster_that_does_not_stop_is_named(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as sleeper, (tmp_path / "lock").open("a+") as theirs:
        theirs.write(str(sleeper.pid))
        theirs.flush()
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with (tmp_path / "lock").open("a+") as ours, pytest.raises(BusyError, match="does not stop"):
            ui._take_over(ours, seconds=0.1)
        assert sleeper.wait(60) == -signal.SIGINT


def test_what_is_left_of_dagster_is_ended() -> None:
    """Its group of processes is asked to end, and waited for."""
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) as left:
        threading.Thread(target=left.wait, daemon=True).start()  # as its parent does
        ui._end_group(left.pid)
        assert left.wait(60) == -signal.SIGTERM


def test_an_alert_to_try(sync: Sync) -> None:
    """Whether the webhook took it, for people and programs."""

    def take(connection: socket.socket, _: Seen) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    with serving(take) as hook:
        url = f"http://{hook.place}/s3cret"
        done = sync("alerts", "--test", "--json", TRACKLY_ALERT_WEBHOOK=url)
        assert (done.returncode, json.loads(done.stdout)) == (0, {"sent": True})
    refused = sync("alerts", "--test", TRACKLY_ALERT_WEBHOOK=url)
    assert refused.returncode == 1
    assert "The message did not arrive" in refused.stderr
    assert "s3cret" not in refused.stderr


def test_doctor_on_what_is_seldom(
    sync: Sync, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key that is missing, http beyond this machine, a folder that takes nothing, little room, events received."""

    def found(code: int = 2, **changes: str | None) -> dict[str, tuple[str, str]]:
        done = sync("doctor", "--json", **changes)
        assert done.returncode == code
        return {one["check"]: (one["verdict"], one["found"]) for one in json.loads(done.stdout)}

    settings = load_settings(_env_file=None, data_dir=Path(environment["TRACKLY_DATA_DIR"]))
    with open_store(settings) as store:
        store.append([], [Rejection(now(), "wrongly_signed", 1)])
    seen = found(TRACKLY_API_KEY=None, TRACKLY_HASH_PHONES=" ")
    assert seen["API"][1].endswith("not asked without a key")
    assert seen["settings"][0] == "fail"
    assert seen["settings"][1].startswith("TRACKLY_HASH_PHONES: given without a value")
    assert seen["webhooks"][0] == "warn"
    seen = found(1, TRACKLY_DATA_DIR="/proc/nothing")
    assert seen["data directory"] == ("fail", "/proc/nothing cannot be written")
    assert seen["ledger"] == ("ok", "there is none yet; the first push makes it")
    seen = found(
        TRACKLY_LEDGER_ULR="sqlite:////srv/ledger.db", TRACKLY_DATA_DIR=__file__, TRACKLY_HISTORY_DIR=__file__
    )
    assert seen["data directory"] == ("fail", f"{__file__} is no folder")
    assert all(seen[name][0] == "warn" for name in ("privacy", "warehouse", "ledger", "webhooks"))
    assert seen["history"] == (
        "warn",
        f"{__file__} is no folder; a push takes it only if it is a history file",
    )
    assert found(1, TRACKLY_DATA_DIR="x" * 300)["data directory"][0] == "fail"
    secret = {"TRACKLY_WEBHOOK_SECRET": SECRET}
    arrive(settings, delivery(1))
    open_url = environment["TRACKLY_BASE_URL"].replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - only to be asked
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    seen = found(
        0, **secret, TRACKLY_BASE_URL=open_url, TRACKLY_ALLOW_HTTP="on", TRACKLY_METRICS_DIR=str(metrics)
    )
    assert seen["API"][0] == "warn"
    assert seen["API"][1].endswith("without encryption")
    assert seen["data directory"][0] == "warn"
    assert seen["metrics"] == ("ok", f"written to {metrics}")
    assert seen["webhooks"][0] in ("ok", "warn")


def test_small_words_of_commands(sync: Sync, tmp_path: Path) -> None:
    """A project that is up to date, nothing to read again, no secret, and nothing in doubt, as text and JSON."""
    assert sync("export", "dbt").returncode == 0
    assert "dbt is up to date: " in sync("export", "dbt").stdout
    assert sync("webhooks", "replay").stdout == "No event was received yet.\n"
    (tmp_path / "data" / "webhooks.db").mkdir(parents=True)
    receiver = sync("webhooks", "serve", "--port", "0")
    assert receiver.returncode == 1
    assert "TRACKLY_WEBHOOK_SECRET is not set: signatures are not verified" in receiver.stderr
    (tmp_path / "data" / "webhooks.db").rmdir()
    settled = sync("resolve", "--all", "--as", "pending", "--reason", "seen", "--json")
    assert json.loads(settled.stdout) == {"resolved": [], "outcome": "pending"}
    seen = sync("resolve", "--differs", "--reason", "seen", "--json")
    assert json.loads(seen.stdout) == {"acknowledged": {"sends": 0, "clicks": 0, "revenue": 0}}
