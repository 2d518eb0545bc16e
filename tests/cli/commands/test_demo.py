"""`demo` empties no folder that something is running in, and refuses before it shows anything that leads nowhere."""

import fcntl
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import typer
from filelock import FileLock

from pipelines.cli.commands import demo as demo_module
from pipelines.cli.commands.demo import demo
from pipelines.cli.shared.demo_folder import own_folder
from pipelines.runs.run_state import show_begun, whole_run
from pipelines.webhooks.at_work import at_work


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo's folder with something in it."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    made = tmp_path / "demo"
    with own_folder(made):
        (made / "account.json").write_text("{}")
        (made / "dagster").mkdir()
    return made


def ended(folder: Path, *, pages: bool, port: int | None = None) -> int:
    """The exit code of a demo there."""
    with pytest.raises(typer.Exit) as end:
        demo(folder, contacts=1_000, pages=pages, port=port)
    return end.value.exit_code


@contextmanager
def dagster_alone(folder: Path) -> Iterator[None]:
    """What goes on where `ui` was killed."""
    with (folder / "dagster" / ".dagster.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def a_run(folder: Path) -> Iterator[None]:
    """A command that is at work."""
    with whole_run("of-a-test"):
        show_begun(folder, "of-a-test")
        yield


WORKING: dict[str, tuple[Callable[[Path], AbstractContextManager[object]], tuple[bool, ...]]] = {
    "Another demo": (own_folder, (False, True)),
    "Dagster": (lambda folder: FileLock(folder / "dagster" / ".ui.lock").acquire(), (False, True)),
    "Dagster is": (dagster_alone, (False,)),
    "A run": (a_run, (False,)),
    "A receiver of webhook events": (at_work, (False,)),
}


@pytest.mark.parametrize("who", WORKING)
def test_a_folder_in_use_is_left_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str], who: str) -> None:
    """Also by `demo --ui`, which shows no settings of an account that it does not serve."""
    working, refused = WORKING[who]
    with working(folder):
        before = sorted(folder.rglob("*"))
        for pages in refused:
            assert ended(folder, pages=pages) == 1
            shown = capsys.readouterr()
            assert f"Error: {who}" in shown.err
            assert "--data-dir" in shown.err
            assert shown.out == ""
            assert sorted(folder.rglob("*")) == before


def test_a_port_in_use_is_refused_with_what_sets_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the demo runs for a minute; the remedy fits make as well."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert ended(folder, pages=True, port=port) == 2
        (folder / "account.json").unlink()
        assert ended(folder, pages=True, port=port) == 2
    shown = capsys.readouterr()
    assert f"Port {port} of 127.0.0.1 cannot be used" in shown.err
    assert f"make demo-ui PORT={port + 1}" in shown.err
    assert shown.out == ""
    assert "demo --ui --port $(PORT)" in (Path(__file__).parents[3] / "Makefile").read_text(encoding="utf-8")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_demo_that_cannot_run_its_job_or_its_pages_fails(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their exit code; its account is kept, and shown for as long as it is served."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # no other process of Python gets beyond its first line
    monkeypatch.setenv("TRACKLY_DATA_DIR", "/srv/real")
    (folder / "dagster" / ".dagster.lock").touch()  # of a Dagster that has ended
    assert ended(folder, pages=False) == 1
    shown = capfd.readouterr()
    assert (
        f"The demo's data is in {folder} (--data-dir); TRACKLY_DATA_DIR is for the real account"
        in " ".join(shown.out.split())
    )
    before = (folder / "account.json").read_bytes()
    assert ended(folder, pages=True, port=free_port()) == 1
    shown = capfd.readouterr()
    assert f"export TRACKLY_DATA_DIR={folder}" in shown.out.replace("\n", "")
    assert "export TRACKLY_API_KEY=trk_" in shown.out
    assert "Dagster has ended by itself" in shown.out
    assert (folder / "account.json").read_bytes() == before
    (folder / "account.json").write_text("{cut")
    assert ended(folder, pages=True, port=free_port()) == 2
    assert "The demo's account cannot be read. " in " ".join(capfd.readouterr().err.split())


def test_what_a_demo_made_is_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For people it names commands as they are typed where they stand."""
    demo_module._show_json(tmp_path, demo_module._Made(7, 3, 1.26))
    document = json.loads(capsys.readouterr().out)
    assert (document["bad_on_purpose"], document["repeated"], document["seconds"]) == (7, 3, 1.3)
    assert document["push"]["sends"]["rows_in"] == 0
    programs = Path(sys.executable).parent
    monkeypatch.chdir(programs.parent)
    demo_module._summary(tmp_path, demo_module._Made(7, 3, 1.26))
    shown = capsys.readouterr().out
    assert f"\n{programs.name}/trackly-sync demo --ui" in shown
    assert str(programs) not in shown


def test_ctrl_c_ends_the_job_of_a_demo(tmp_path: Path) -> None:
    """It is in a process group of its own, which the terminal does not interrupt."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(KeyboardInterrupt):
            demo_module._run_job({}, tmp_path, None)
    finally:
        signal.signal(signal.SIGUSR1, before)
