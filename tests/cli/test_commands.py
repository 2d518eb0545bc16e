"""The command line: exit codes, streams, errors; as processes where Ctrl-C or a terminal are the point."""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import started
from forked import Forked
from oracle import query, same, shown

from pipelines.process.exit_codes import MEANINGS
from pipelines.pull.draft import dataset_lock
from pipelines.sandbox import API_KEY, Account, Server, parse_fault, write_history
from schemas.registry import PULLED

Done = subprocess.CompletedProcess[str]
Sync = Callable[..., Done]


def warehouse(environment: dict[str, str]) -> Path:
    return Path(environment["TRACKLY_DATA_DIR"]) / "warehouse.duckdb"


def for_others(data: Path) -> list[Path]:
    """What others may read of what commands make; a history is its owner's own."""
    return [path for path in data.rglob("*") if path.stat().st_mode & 0o077 and "history" not in path.parts]


def test_pull_push_status(sync: Sync, account: Account, environment: dict[str, str], tmp_path: Path) -> None:
    """The operator's day: pull, plan, push, push again, status; the account holds every good row once.

    Whatever they make is private.
    """
    data = tmp_path / "data"
    assert sync("pull", "contacts", "lists", "offers", "revenue").returncode == 0
    assert not for_others(data)
    assert same(shown(warehouse(environment), "contacts"), account.contacts(), "phone_number", "list_id")
    export = write_history(account, tmp_path / "data" / "history", sends=500)
    calls = len(account.log)
    plan = sync("push", "sends", "--dry-run", "--json")
    assert plan.returncode == 0
    assert json.loads(plan.stdout)["sends"]["pending"] == 500
    assert len(account.log) == calls, "a dry run asks nothing of the API"
    pushed = sync("push", "sends", "--month", "2025-01", "--json")  # when all of them were sent
    assert sum(name.startswith("old-") for name in account.sends) == 500
    document = json.loads(pushed.stdout)
    counts, run = document["sends"], document["run"]
    assert (run["sent"], run["accepted"], run["settled"], run["pending"]) == (500, 500, 0, 0)
    assert run["left_out"] == counts["quarantined"] + counts["parked"]
    assert sync("runs", run["id"][:8]).returncode == 0
    assert counts["accepted"] == 500, "the counts are those of the month"
    assert pushed.returncode == (3 if counts["quarantined"] else 0), "and so is the exit code"
    on_record = query(
        warehouse(environment),
        "SELECT activity, status, rows FROM sync.runs WHERE activity LIKE '%sends' ORDER BY started_at",
    )
    assert on_record[-2:] == [
        ("take in sends", "succeeded", export.rows["sends"]),
        ("push sends", "succeeded", 500),
    ]
    pushed = sync("push")
    assert pushed.returncode == 3, "bad rows were left out"
    assert "trackly-sync rejects sends" in pushed.stdout
    calls = len(account.log)
    assert sync("push", "sends", TRACKLY_PUSH_LEFT_OUT_SHARE="0.05").returncode == 0
    assert len(account.log) == calls, "the second push sends nothing"
    status = json.loads(sync("status", "--json").stdout)
    assert set(status) == {"pull", "push"}
    assert set(status["pull"]["contacts"]) == {
        "rows",
        "quarantined",
        "consistency",
        "snapshot",
        "finished_at",
    }
    assert status["pull"]["contacts"]["rows"] == 400
    for name, counts in status["push"].items():
        outcomes = {key: value for key, value in counts.items() if key != "rows_in"}
        assert counts["rows_in"] == sum(outcomes.values()) == export.rows[name]
        assert list(outcomes) == [
            "accepted", "duplicate", "rejected", "quarantined", "parked", "in_doubt", "pending"
        ]  # fmt: skip
    assert status["push"]["sends"]["accepted"] == 500
    assert "500" in sync("status").stdout
    reported = sync("report", TRACKLY_API_KEY=None)
    assert reported.returncode == 0, reported.stderr
    assert "data/report.html" in reported.stdout
    assert not for_others(data)
    page = (data / "report.html").read_text(encoding="utf-8")
    assert "trackly-sync rejects sends" in page, "what needs attention, as status says it"


def test_status_before_anything_is_friendly(sync_apart: Sync) -> None:
    """Without a warehouse, a ledger or a key, status says what to do, and makes no files."""
    done = sync_apart("status", TRACKLY_API_KEY=None)
    assert (done.returncode, done.stderr) == (0, "")
    assert "trackly-sync pull" in done.stdout
    empty = json.loads(sync_apart("status", "--json", TRACKLY_API_KEY=None).stdout)
    assert empty["pull"] == dict.fromkeys(PULLED)
    assert empty["push"]["sends"]["rows_in"] == 0


def test_output_is_plain_when_nobody_watches(sync_apart: Sync) -> None:
    """Without a terminal there are no colours and no bars, and JSON stands alone on standard output."""
    done = sync_apart("pull", "offers", "--json")
    assert "\x1b" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["offers"]["rows"] == 12


@pytest.mark.usefixtures("pulled")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_is_clean(
    sync: Sync,
    server: Server,
    account: Account,
    environment: dict[str, str],
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    """Ctrl-C and SIGTERM stop a pull at once: nothing half-done, the warehouse as it was, the next pull works."""
    before = warehouse(environment).read_bytes()
    server.faults.active.append(parse_fault("latency,seconds=0.7"))
    calls = len(account.log)
    with started(("pull",), environment, tmp_path) as running:
        while len(account.log) < calls + 4:
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(number)
        _, told = running.communicate()
    assert running.returncode == code
    assert b"Stopped" in told
    assert b"Traceback" not in told
    assert warehouse(environment).read_bytes() == before
    assert not list(Path(environment["TRACKLY_DATA_DIR"]).glob("parquet/*/.2*"))
    server.faults.active.clear()
    assert sync("pull", "contacts").returncode == 0


def test_a_second_pull_says_that_it_waits(environment: dict[str, str], tmp_path: Path) -> None:
    """While another one holds the dataset; then it goes on."""

    def says_that_it_waits(process: Forked) -> bool:
        return "Another pull of contacts is under way" in " ".join(process.stderr.read_text().split())

    async def beside_another() -> Forked:
        async with dataset_lock(tmp_path / "data" / "parquet", "contacts"):
            second = started(("pull", "contacts"), environment, tmp_path)
            async with asyncio.timeout(300):  # it would wait for hours
                while not says_that_it_waits(second):
                    assert second.poll() is None, "it did not wait"
                    await asyncio.sleep(0.02)
        return second

    with asyncio.run(beside_another()) as second:
        assert second.wait() == 0
    assert query(warehouse(environment), "SELECT count(*) FROM contacts") == [(400,)]


@pytest.mark.usefixtures("pulled")
def test_rollback_and_allow_shrink(sync: Sync, account: Account, environment: dict[str, str]) -> None:
    """The guard stops a shrunken account with the option to use, and rollback brings the rows back."""
    for row in account.contacts()[10:]:
        account.remove_contact((row["phone_number"], row["list_id"]))
    stopped = sync("pull", "contacts")
    assert (stopped.returncode, "--allow-shrink" in stopped.stderr) == (1, True)
    forced = sync("pull", "contacts", "--allow-shrink")
    assert (forced.returncode, "never pulled" in forced.stdout) == (0, False), "it tells of contacts only"
    assert query(warehouse(environment), "SELECT count(*) FROM contacts") == [(10,)]
    snapshots = query(
        warehouse(environment),
        "SELECT snapshot FROM sync.snapshots WHERE dataset = 'contacts' AND rows = 400",
    )
    assert sync("rollback", "contacts", "--to", "nonsense").returncode == 2
    assert "rollback" not in sync("alerts").stdout, "a slip of the pen is no failed run"
    assert sync("rollback", "contacts", "--to", snapshots[0][0]).returncode == 0
    assert query(warehouse(environment), "SELECT count(*) FROM contacts") == [(400,)]


def test_doctor_finds_what_is_wrong(sync: Sync, tmp_path: Path) -> None:
    """Each check has a verdict, a failing one its remedy, and the exit code tells."""
    well = sync("doctor", "--json")
    assert well.returncode == 0
    assert {item["verdict"] for item in json.loads(well.stdout)} <= {"ok", "warn"}
    assert "TRACKLY_API_KEY, TRACKLY_BASE_URL=http" in json.loads(well.stdout)[0]["found"]
    wrong = sync("doctor", "--json", TRACKLY_API_KEY="trk_" + "z" * 32)
    failing = [item for item in json.loads(wrong.stdout) if item["verdict"] == "fail"]
    assert wrong.returncode == 1
    assert [item["check"] for item in failing] == ["API"]
    assert "TRACKLY_API_KEY" in failing[0]["found"] + failing[0]["remedy"]
    assert sync("doctor", TRACKLY_BASE_URL="nowhere").returncode == 2
    (tmp_path / ".env").write_text("TRACKLY_API_KEY=elsewhere\nTRACKLY_CONCURENCY=9\n")
    (tmp_path / ".env").chmod(0o644)
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "alerts.json").write_text('{"failed_at": "2026-01-01T00:00:00+00:00"}')
    hook = "https://hooks.example.com/s3cret"
    warned = sync("doctor", "--json", TRACKLY_METRICS_DIR="/nowhere", TRACKLY_ALERT_WEBHOOK=hook)
    remedies = {
        item["check"]: item["remedy"] for item in json.loads(warned.stdout) if item["verdict"] == "warn"
    }
    assert {"settings", "API key", "alerts", "metrics"} <= set(remedies)
    assert "Set TRACKLY_CONCURRENCY in place of TRACKLY_CONCURENCY." in remedies["settings"]
    assert "chmod 600" in remedies["API key"]
    assert "s3cret" not in warned.stdout
    assert warned.returncode == 0
    assert API_KEY not in well.stdout


"""They serve until they are stopped."""


def test_help_teaches(sync_apart: Sync) -> None:
    """Help shows examples, exit codes and where to begin."""
    top = " ".join(sync_apart("--help").stdout.split())
    assert "Exit codes" in top
    assert all(f"- {code}: {meaning[:20]}" in top for code, meaning in MEANINGS.items())
    assert "trackly-sync doctor" in top
    assert "Examples" in sync_apart("push", "--help").stdout


def test_resolve_lists_and_settles_what_is_in_doubt(
    sync: Sync, server: Server, account: Account, environment: dict[str, str], tmp_path: Path
) -> None:
    """Nothing in doubt, then a row that no reading can settle: listed with its evidence, and settled by a word."""
    assert sync("resolve").stdout == "No row is in doubt.\n"
    contact, offer = account.contacts()[0], next(o for o in account.offers if o["status"] == "active")
    folder = tmp_path / "data" / "history"
    folder.mkdir(parents=True)
    send = {
        "id": "m1",
        "to_number": contact["phone_number"],
        "list_id": contact["list_id"],
        "timestamp": "2024-05-01",
    }
    (folder / "sends.ndjson").write_text(json.dumps(send) + "\n")
    sale = {"record_id": "r1", "message_id": "m1", "offer_id": offer["id"], "revenue": 12.5}
    (folder / "revenue.ndjson").write_text(json.dumps(sale) + "\n")
    before = len(account.revenue)

    def delete(_: int, account: Account) -> None:
        if len(account.revenue) > before:
            account.remove_contact((contact["phone_number"], contact["list_id"]))

    account.before_request = delete
    server.faults.active.append(parse_fault("reset-after,path=revenue,times=1"))
    assert sync("push", "sends", "revenue", TRACKLY_SETTLE_SECONDS="0").returncode == 3
    listed = sync("resolve")
    assert "record:r1" in listed.stdout
    assert "contact_gone: its contact is no longer in the account" in listed.stdout
    assert "trackly-sync resolve" in sync("status").stdout
    (doubt,) = json.loads(sync("resolve", "--json").stdout)
    assert (doubt["identity"], doubt["amount"], doubt["code"]) == ("record:r1", "12.5", "contact_gone")
    for arguments, words in (
        (("record:r1",), "--as"),
        (("record:r1", "--as", "accepted"), "--reason"),
        (("--as", "accepted", "--reason", "x"), "--all"),
    ):
        refused = sync("resolve", *arguments)
        assert refused.returncode == 2
        assert words in refused.stderr
    unknown = sync("resolve", "record:r2", "--as", "accepted", "--reason", "x")
    assert unknown.returncode == 1
    assert "not in doubt" in unknown.stderr
    assert doubt["in_input"]

    # it leaves the input, and it is in doubt all the same
    (folder / "revenue.ndjson").write_text(json.dumps({**sale, "record_id": "r9", "revenue": "bad"}) + "\n")
    assert sync("push", "revenue", TRACKLY_METRICS_DIR=str(tmp_path)).returncode == 3
    is_counted = 'trackly_sync_in_doubt_rows{dataset="revenue"} 1.0'
    assert is_counted in (tmp_path / "trackly_sync_push.prom").read_text()
    shown = json.loads(sync("status", "--json").stdout)
    assert (shown["push"]["revenue"]["in_doubt"], shown["in_doubt_outside_input"]) == (0, {"revenue": 1})
    note = "1 row of revenue in doubt is not in the current input, or quarantined there: trackly-sync resolve"
    assert note in shown["needs_attention"]
    assert note in sync("rejects", "revenue").stderr
    done = sync("resolve", "--all", "--as", "pending", "--reason", "seen in the account")
    assert done.returncode == 0, done.stderr
    assert "sent only once it is in it again, then by: trackly-sync push revenue" in done.stdout
    (folder / "revenue.ndjson").write_text(json.dumps(sale) + "\n")
    assert sync("push", "revenue").returncode == 3
    shown = json.loads(sync("status", "--json").stdout)
    assert shown["push"]["revenue"]["rejected"] == 1, "it was sent, and its contact is gone"
    assert "in_doubt_outside_input" not in shown
    assert query(warehouse(environment), "SELECT identity, reason FROM imports.resolutions") == [
        ("record:r1", "seen in the account")
    ]
