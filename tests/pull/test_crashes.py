"""Pulls that are killed, starved of disk, or run at once, with readers watching."""

import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from effort import seeds
from forked import Forked
from oracle import key_of, query, same, shown
from processes import process

from pipelines.alerts.after_run import conditions
from pipelines.cli.shared.report_run import make_report
from pipelines.errors import StorageError
from pipelines.pull.run import publish_latest, pull
from pipelines.push.audit.alerts import push_conditions
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.push.run import push
from pipelines.run_records.summary import latest_runs
from pipelines.runs.recording import recorded
from pipelines.sandbox import Account, Server, parse_fault
from pipelines.settings import Settings
from pipelines.storage import storage_errors

PULL = """
    import os, sys
    from pipelines.pull.run import pull
    from pipelines.settings import load_settings
    pull(load_settings(), ["contacts", "lists", "offers", "revenue"], "child")
"""
READ = """
    import sys, time, duckdb
    reads = 0
    with duckdb.connect() as connection:  # to start one takes twenty times as long as to open a file
        while True:
            connection.execute(f"ATTACH '{sys.argv[1]}' AS warehouse (READ_ONLY); USE warehouse")
            contacts, total, revenue = connection.execute(
                "SELECT count(*), sum(revenue_total), (SELECT sum(revenue) FROM revenue) FROM contacts"
            ).fetchone()
            connection.execute("USE memory; DETACH warehouse")
            assert contacts % 100 == 0, contacts
            assert total == revenue, (total, revenue)
            reads += 1
            if reads == 5:
                print("watching", flush=True)
            time.sleep(0.1)
"""


def start_pull(settings: Settings) -> Forked:
    return process(textwrap.dedent(PULL), settings)


@contextmanager
def a_reader(settings: Settings) -> Iterator[None]:
    """A process that opens the warehouse in a loop for the length of the block, and must never fail."""
    command = [sys.executable, "-c", textwrap.dedent(READ), str(settings.warehouse)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "watching\n"
        yield
        assert reader.poll() is None, "the reader failed"
        reader.kill()


@pytest.mark.usefixtures("pulled")
def test_kill_at_any_moment_leaves_a_warehouse_and_a_next_pull_that_succeeds(
    account: Account, server: Server, settings: Settings
) -> None:
    """SIGKILL at random moments, many times: readers never fail, and the pull after it equals the account."""
    server.faults.active.append(parse_fault("latency,seconds=0.03"))
    moments = random.Random(11)
    with a_reader(settings):
        for _ in seeds(3):
            account.contacts()[moments.randrange(1_100)]["revenue_total"] += 1.25
            child = start_pull(settings)
            time.sleep(moments.uniform(0.5, 2.2))
            child.send_signal(signal.SIGKILL)
            child.wait()
        pull(settings, ["contacts", "lists", "offers", "revenue"], "last")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    left = [
        path
        for path in settings.parquet_dir.rglob("*")
        if path.name.startswith(".2") or path.name == ".spool"
    ]
    assert left == [], "the next pull cleans up what killed ones left"


def test_two_pulls_at_once_take_turns(account: Account, server: Server, settings: Settings) -> None:
    """A second pull waits for the first, and both succeed."""
    server.faults.active.append(parse_fault("latency,seconds=0.05"))
    children = [start_pull(settings) for _ in range(2)]
    assert [child.wait(60) for child in children] == [0, 0]
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    assert query(settings.warehouse, "SELECT count(*) FROM sync.snapshots WHERE dataset = 'contacts'") == [
        (2,)
    ]


@pytest.mark.usefixtures("pulled")
def test_a_pull_that_was_overtaken_leaves_the_later_snapshot(
    account: Account, server: Server, settings: Settings
) -> None:
    """A pull that is done with contacts, and waits for offers, does not publish over what another read since."""
    server.faults.active.append(parse_fault("latency,seconds=8,path=offers,times=1"))
    slow = start_pull(settings)
    before = len(list(settings.parquet_dir.glob("contacts/2*")))
    while len(list(settings.parquet_dir.glob("contacts/2*"))) == before:
        assert slow.poll() is None
        time.sleep(0.05)
    account.contacts()[7]["revenue_total"] += 2.5
    account.remove_contact(key_of(account.contacts()[9]))
    contacts, revenue = pull(settings, ["contacts"], "quick")
    assert slow.poll() is None, "the slow one is still under way"
    assert slow.wait(60) == 0
    published = "SELECT dataset, snapshot, run FROM sync.snapshots WHERE published"
    found = {dataset: (snapshot, run) for dataset, snapshot, run in query(settings.warehouse, published)}
    assert found["contacts"] == (contacts.manifest.snapshot, "quick")
    assert found["revenue"] == (revenue.manifest.snapshot, "quick")
    assert found["offers"][1] == "child"
    publish_latest(settings, "jobs")  # what was overtaken is not the newest revenue either
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    sums = "SELECT (SELECT sum(revenue) FROM revenue) = (SELECT sum(revenue_total) FROM contacts)"
    assert query(settings.warehouse, sums) == [(True,)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs privileges that this machine does not give")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_a_clear_error(
    small_disk: Path, account: Account, server: Server, settings_of: Callable[..., Settings]
) -> None:
    """When the disk is full the pull says so and what to do, what was published stays, and it is on record.

    Also a first one that fills the disk itself: what it wrote when it began holds its record.
    """
    first = settings_of(server.url, small_disk / "first")
    with suppress(StorageError), recorded(first.data_dir, "r0", "pull lists"):
        (first.data_dir / "runs" / ".room-for-records").unlink()
        with (
            storage_errors("write", small_disk / "more"),
            (small_disk / "more").open("wb", buffering=0) as file,
        ):
            while file.write(b"x" * 4_096):
                pass
    (run,) = latest_runs(first.data_dir, 9)[0]
    assert (run.status, len(run.errors)) == ("failed", 1)
    (small_disk / "more").unlink()
    shutil.rmtree(first.data_dir)
    settings = settings_of(server.url, small_disk / "data")
    pull(settings, ["offers"], "r1")
    with open_ledger(settings):
        settings.history.mkdir()
        (settings.history / "sends.ndjson").write_text("{}\n")
    before = settings.warehouse.read_bytes()
    (small_disk / "ballast").write_bytes(b"x" * 500_000)
    with pytest.raises(StorageError, match="Make room on the disk"):
        pull(settings, ["contacts"], "r2")
    assert settings.warehouse.read_bytes() == before
    with suppress(OSError), (small_disk / "more").open("wb", buffering=0) as file:
        while file.write(b"x" * 4_096):
            pass
    with pytest.raises(StorageError, match="Make room on the disk"):
        pull(settings, ["lists"], "r3")
    page = settings.data_dir / "report.html"
    for command in (
        partial(push, settings, ["sends"]),
        partial(reconcile, settings),
        partial(make_report, settings, page),
    ):
        with pytest.raises(StorageError):
            command()
    runs = [(run.what, run.status) for run in latest_runs(settings.data_dir, 9)[0]]
    failed = ("report", "reconcile", "push sends", "pull lists", "pull contacts")
    assert runs == [*((what, "failed") for what in failed), ("pull offers", "succeeded")]
    names = {one.name for one in conditions(settings, outcomes, push_conditions) if one.firing}
    assert names == {"low:disk", *(f"failed:{what}" for what in failed)}, (
        "the ledger can be read all the same"
    )
    (small_disk / "ballast").unlink()
    assert len(shown(settings.warehouse, "offers")) == len(account.offers)


def test_no_room_for_the_warehouse_is_a_clear_error_too(
    account: Account, settings: Settings, first_pull: Callable[[tuple[str, ...]], Path]
) -> None:
    """Where the warehouse cannot be built to its end, be it at its checkpoint, the command says that in two lines."""
    whole = first_pull(("contacts", "lists", "offers", "revenue")) / "warehouse.duckdb"
    pull(settings, ["offers"], "first")
    before = settings.warehouse.read_bytes()
    for missing in (100_000, 1_000_000):
        most = whole.stat().st_size - missing
        command = "import resource, sys; from pipelines.cli import main; sys.argv[1:] = ['pull', '--json']; "
        command += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most})); main()"
        with process(command, settings) as refused:
            output, complained = refused.communicate()
        assert refused.returncode == 1, missing
        assert complained.startswith(b"Error: Cannot "), missing
        assert b"nothing is half-done" in complained, missing
        assert output == b""
        assert settings.warehouse.read_bytes() == before, missing
    pull(settings, ["contacts"], "next")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")


def test_a_data_directory_that_cannot_be_written_is_named(
    tmp_path: Path, server: Server, settings_of: Callable[..., Settings]
) -> None:
    """A data directory that cannot be made is a clear error that names the setting."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="TRACKLY_DATA_DIR"):
        pull(settings_of(server.url, tmp_path / "file" / "data"), ["lists"], "r1")
