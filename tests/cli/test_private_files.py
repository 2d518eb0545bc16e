"""The data directory is its owner's alone, from the first byte on; a killed run leaves nothing of people in it."""

import csv
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from beginnings import first_pulls
from commands import Done, started
from forked import Forked

from pipelines.sandbox import Account, Server, parse_fault, write_history
from pipelines.settings import Settings
from pipelines.storage import claim, narrow, open_to_others, private_folder, sweep, work_folder, write_durably

SECRET = "a secret that nobody can guess"  # noqa: S105 - the tests' own
NEEDED = ("contacts", "lists", "offers")
"""What a push of history compares with."""

Sync = Callable[..., Done]


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    """Of an ordinary log-in: what is private is so by our doing."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(scope="module")
def with_hashes(tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]) -> Path:
    """A data directory after a first pull that hashes phone numbers."""

    def settings(url: str, data_dir: Path) -> Settings:
        return settings_of(url, data_dir, hash_phones=SECRET)

    return first_pulls(tmp_path_factory, "first-with-hashes", 400, settings)(NEEDED)


@pytest.fixture
def data(with_hashes: Path, tmp_path: Path) -> Path:
    """The test's own copy of it."""
    return shutil.copytree(with_hashes, tmp_path / "data")


def wide(folder: Path) -> list[str]:
    """What others may read, by the test's own look."""
    return [
        f"{path} {stat.filemode(path.lstat().st_mode)}"
        for path in (folder, *folder.rglob("*"))
        if path.lstat().st_mode & 0o077 and not path.is_symlink()
    ]


def test_nobody_else_can_read_what_commands_make(sync_apart: Sync, account: Account, tmp_path: Path) -> None:
    """Pull, push, books, report and logs; a swap of what somebody has opened narrows it again."""
    data, metrics = tmp_path / "data", tmp_path / "metrics"
    metrics.mkdir()
    write_history(account, tmp_path / "history", sends=300)
    more = {"TRACKLY_HISTORY_DIR": str(tmp_path / "history"), "TRACKLY_METRICS_DIR": str(metrics)}
    for arguments in (["pull", "lists"], ["push", "sends"], ["reconcile"], ["report"], ["alerts"]):
        assert sync_apart(*arguments, **more).returncode in (0, 3)
        assert not wide(data)
    for path in (data / "warehouse.duckdb", data / "ledger.db", data / "report.html"):
        path.chmod(0o644)
    assert sync_apart("pull", "lists", **more).returncode == 0
    assert sync_apart("report", **more).returncode == 0
    assert wide(data) == [f"{data / 'ledger.db'} -rw-r--r--"], "what was replaced is private again"
    assert {path.stat().st_mode & 0o777 for path in metrics.iterdir()} == {0o644}, (
        "another user collects these"
    )
    assert sync_apart("report", "--output", str(tmp_path / "page.html"), **more).returncode == 0
    nowhere = sync_apart("report", "--output", str(tmp_path / "no" / "page.html"), "--json", **more)
    assert (nowhere.returncode, nowhere.stdout) == (2, "")
    assert "Make it, or name another file" in nowhere.stderr
    assert not (tmp_path / "no").exists()
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o644, "as the user's umask says"


def test_a_folder_made_by_hand_is_closed_before_it_is_used(
    sync: Sync, account: Account, tmp_path: Path
) -> None:
    """As the first steps say: history goes into data/history before anything has run."""
    write_history(account, tmp_path / "data" / "history", sends=200)
    assert (tmp_path / "data").stat().st_mode & 0o077
    sync("status")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_doctor_reports_an_open_directory_and_closes_it(sync: Sync, tmp_path: Path) -> None:
    """One of an older version; links out of it are left alone."""
    assert sync("pull", "lists").returncode == 0
    data, outside = tmp_path / "data", tmp_path / "outside"
    outside.write_text("others' own")
    (data / "link").symlink_to(outside)
    data.chmod(0o755)
    (data / "warehouse.duckdb").chmod(0o666)
    (data / "runs").chmod(0o755)
    shown = {row["check"]: row for row in json.loads(sync("doctor", "--json").stdout)}["privacy"]
    assert shown["verdict"] == "warn"
    assert "3" in shown["found"]
    assert "trackly-sync doctor --fix" in shown["remedy"]
    assert wide(data), "telling changes nothing"
    shown = {row["check"]: row for row in json.loads(sync("doctor", "--fix", "--json").stdout)}["privacy"]
    assert shown["verdict"] == "ok"
    assert not wide(data)
    assert outside.stat().st_mode & 0o777 == 0o644
    assert json.loads(sync("status", "--json").stdout)["pull"]["lists"]["rows"]


@contextmanager
def killed(
    arguments: tuple[str, ...], environment: dict[str, str], folder: Path, when: Callable[[], bool]
) -> Iterator[None]:
    """A command that was killed as soon as something is so; it has no processes of its own."""
    with started(arguments, environment, folder) as process:
        while not when():
            assert process.poll() is None, "it has ended by itself"
            time.sleep(0.01)
        process.kill()
    yield


def numbers_in(data: Path, account: Account, tmp_path: Path) -> list[str]:
    """The files of the data directory in which a number of the history stands, in any of their bytes."""
    phones = {row["phone_number"].lstrip("+") for row in account.contacts()}
    with (tmp_path / "history" / "sends.csv").open(newline="") as file:
        phones |= {row["to_number"].lstrip("+") for row in csv.DictReader(file)}
    anywhere = re.compile(b"|".join(sorted(re.escape(phone.encode()) for phone in phones)))
    return [str(path) for path in data.rglob("*") if path.is_file() and anywhere.search(path.read_bytes())]


def test_a_killed_push_leaves_no_numbers_behind(
    sync: Sync,
    account: Account,
    server: Server,
    environment: dict[str, str],
    data: Path,
    tmp_path: Path,
) -> None:
    """Killed while it sends; the next command of any kind puts the working copy away, and the next push goes on."""
    more = {"TRACKLY_HISTORY_DIR": str(tmp_path / "history"), "TRACKLY_HASH_PHONES": SECRET}
    write_history(account, tmp_path / "history", sends=500)
    server.faults.active.append(parse_fault("latency,path=/history/,seconds=30"))
    environment |= more
    with killed(("push",), environment, tmp_path, lambda: server.faults.active[0].seen > 0):
        assert numbers_in(data, account, tmp_path), "they are there while they are sent"
        assert not wide(data)
    server.faults.active.clear()
    sync("runs", **more)
    assert numbers_in(data, account, tmp_path) == []
    assert sync("rejects", **more).returncode == 0
    assert sync("push", "sends", **more).returncode == 3
    assert len(account.sends) == 500
    assert numbers_in(data, account, tmp_path) == []


def test_a_killed_plan_leaves_no_copies_behind(
    sync: Sync, account: Account, environment: dict[str, str], data: Path, tmp_path: Path
) -> None:
    """Its folder lies in the data directory, not in /tmp, and goes with the next command."""
    more = {"TRACKLY_HISTORY_DIR": str(tmp_path / "history"), "TRACKLY_HASH_PHONES": SECRET}
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    write_history(account, tmp_path / "history", sends=20_000)
    environment |= {**more, "TMPDIR": str(temporary)}
    with killed(("push", "--dry-run"), environment, tmp_path, lambda: any(data.glob(".work-*/*.building"))):
        assert list(data.glob(".work-*/*"))
        assert not list(temporary.iterdir())
    sync("status", **more)
    assert not list(data.glob(".work-*"))
    assert numbers_in(data, account, tmp_path) == []


def test_what_a_running_process_uses_stays(
    sync: Sync, account: Account, server: Server, environment: dict[str, str], data: Path, tmp_path: Path
) -> None:
    """Other commands beside a push, and beside what works in a folder of its own, take nothing away."""
    more = {"TRACKLY_HISTORY_DIR": str(tmp_path / "history"), "TRACKLY_HASH_PHONES": SECRET}
    write_history(account, tmp_path / "history", sends=500)
    server.faults.active.append(parse_fault("latency,path=/history/,seconds=2,times=1"))
    with work_folder(data) as folder:
        (folder / "mine").write_text("in use")
        with started(("push", "--quiet"), {**environment, **more}, tmp_path) as push:
            while not server.faults.active[0].seen:
                time.sleep(0.01)
            assert sync("status", **more).returncode == 0
        assert push.returncode == 3
        assert (folder / "mine").read_text() == "in use"
    assert len(account.sends) == 500


STEPS = """
import time
from pathlib import Path
from pipelines.push.run import intake, send
from pipelines.settings import load_settings

intake(load_settings(), ["sends"])
Path("taken-in").touch()
while not Path("go").exists():
    time.sleep(0.01)
print(send(load_settings(), ["sends"])["sends"].accepted)
"""


def test_an_orchestrator_keeps_what_it_took_in_until_it_is_sent(
    sync: Sync, account: Account, environment: dict[str, str], data: Path, tmp_path: Path
) -> None:
    """Between its steps no lock is held: the process holds the stages until it ends; then they are put away."""
    more = {"TRACKLY_HISTORY_DIR": str(tmp_path / "history"), "TRACKLY_HASH_PHONES": SECRET}
    write_history(account, tmp_path / "history", sends=200)
    with Forked(exec, (STEPS, {}), {**environment, **more}, tmp_path) as steps:
        while not (tmp_path / "taken-in").exists():
            assert steps.poll() is None
            time.sleep(0.01)
        assert sync("status", **more).returncode == 0
        (tmp_path / "go").touch()
        shown, _ = steps.communicate()
    assert steps.returncode == 0
    assert shown == b"200\n"
    assert numbers_in(data, account, tmp_path) == []


def test_folders_and_files_of_ours_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """The helpers by themselves: folders, small files, work folders, and the directory that is in use already."""
    data = tmp_path / "a" / "data"
    private_folder(data)
    write_durably(data / "alerts.json", b"x")
    with work_folder(data) as folder:
        (folder / "two").write_text("x")
        sweep(data)
        assert not wide(data)
        assert folder.exists()
    assert not folder.exists()
    data.chmod(0o750)
    claim(data)
    assert data.stat().st_mode & 0o777 == 0o750, "somebody may have opened it on purpose"
    narrow(open_to_others(data))
    assert not wide(data)
    (data / ".work-gone").mkdir()
    sweep(data)
    assert not (data / ".work-gone").exists()
    sweep(tmp_path / "not there")


def test_what_others_keep_beside_our_files_is_left_alone(tmp_path: Path) -> None:
    """As where a home directory is the data directory: only what has a name of ours is closed, and no plain file."""
    data = tmp_path / "home"
    theirs = [data / "theirs" / "tool.sh", data / "parquet.md", data / "warehouse"]
    ours = [data / "parquet" / "lists" / "a.parquet", data / "ledger.db-wal", data / ".push.lock"]
    for path in (*theirs, *ours):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    before = [path.stat().st_mode for path in (*theirs, data / "theirs", data)]
    narrow(open_to_others(data))
    assert wide(data / "parquet") == []
    assert [path.stat().st_mode & 0o077 for path in ours] == [0, 0, 0]
    assert [path.stat().st_mode for path in (*theirs, data / "theirs", data)] == before
    assert all(mode & 0o044 for mode in before)
    assert open_to_others(theirs[0]) == []
