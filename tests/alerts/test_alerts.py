"""Alerts arrive once per change, with their recovery, and never stand in a run's way."""

import inspect
import json
import logging
import resource
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from beginnings import seeded
from filelock import FileLock

from assets.graph.pulled import DATASETS
from assets.resources import GivenTrackly
from pipelines.alerts import notify as notifying
from pipelines.alerts import webhook
from pipelines.alerts.after_run import conditions
from pipelines.alerts.conditions import Condition, of_disk, of_pulls, of_pushes, of_runs
from pipelines.alerts.notify import notify, try_out
from pipelines.cli.commands.alerts import alerts
from pipelines.cli.commands.doctor_checks import _disk
from pipelines.cli.commands.status import status as status_command
from pipelines.errors import DataError, ServiceError, SettingsError, StorageError
from pipelines.pull.run import pull
from pipelines.push.audit.alerts import of_doubt
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.push.resolve import in_doubt, resolve
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account, Server, parse_fault, write_history
from pipelines.settings import Settings, load_settings
from pipelines.warehouse.published import published


class Hook:
    """A webhook that takes messages, with the status given."""

    def __init__(self) -> None:
        self.status = 200
        self.messages: list[dict[str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if hook.status == 200:
                    hook.messages.append(body)
                self.send_response(hook.status)
                if hook.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/s3cret"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def changes(self) -> list[tuple[str, str]]:
        """What was shown, in order."""
        return [(alert["alert"], alert["state"]) for message in self.messages for alert in message["alerts"]]


@pytest.fixture
def account() -> Account:
    """A page of contacts."""
    return seeded(200)


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A webhook, served."""
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def shown(settings: Settings, hook: Hook) -> Settings:
    """Settings with the webhook."""
    return settings.model_copy(update={"alert_webhook": load_settings(alert_webhook=hook.url).alert_webhook})


def wrong(firing: bool, name: str = "stale:contacts") -> list[Condition]:
    return [Condition(name, firing, "contacts is old", "Pull.", {"hours": 30})]


def test_one_reason_of_several_parts_is_one_sentence(shown: Settings, hook: Hook) -> None:
    """A refused key fails every dataset of a pull: programs see each of them, people one summary."""
    several = [*wrong(True, "failed:pull contacts"), *wrong(True, "failed:pull lists")]
    notify(shown, several)
    assert hook.changes() == [(condition.name, "firing") for condition in several]
    assert hook.messages[0]["text"] == "Trackly Sync\nAlert: contacts is old. Pull."


def test_a_pull_that_the_guard_stops_alerts_once_and_recovers(
    shown: Settings, hook: Hook, account: Account, server: Server
) -> None:
    """The shrink guard's words arrive once, however often the pull fails; a pull that works takes them back."""
    pull(shown, ["contacts"], "first")
    assert hook.messages == []
    kept = account.contacts()
    for row in kept[10:]:
        account.remove_contact((row["phone_number"], row["list_id"]))
    for run in ("second", "third"):
        with pytest.raises(DataError):
            pull(shown, ["contacts"], run)
    assert hook.changes() == [("failed:publish", "firing")]
    message = hook.messages[0]
    assert "are not in the account any more" in message["text"]
    assert message["alerts"][0]["figures"]["run"] == "second"
    for row in kept[10:]:
        account.add_contact(row)
    pull(shown, ["contacts"], "fourth")
    pull(shown, ["contacts"], "fifth")
    assert hook.changes() == [("failed:publish", "firing"), ("failed:publish", "recovered")]
    assert server.faults.active == []


def test_a_damaged_warehouse_alerts_once_with_what_to_do(shown: Settings, hook: Hook) -> None:
    """However often it is met; a pull that works again takes it back."""
    pull(shown, ["lists"], "first")
    whole = shown.warehouse.read_bytes()
    shown.warehouse.write_bytes(b"nonsense" * 4096)
    for run in ("second", "third"):
        with pytest.raises(StorageError, match="move it away"):
            pull(shown, ["lists"], run)
    assert hook.changes().count(("damaged:warehouse", "firing")) == 1
    shown.warehouse.write_bytes(whole)
    pull(shown, ["lists"], "fourth")
    assert hook.changes().count(("damaged:warehouse", "recovered")) == 1


def test_a_push_that_leaves_doubt_alerts_until_it_is_settled(
    shown: Settings, hook: Hook, account: Account, server: Server
) -> None:
    """in_doubt and rejected rows alert, with their numbers; settling takes the first back; no phone is shown."""
    write_history(account, shown.history, sends=200)
    account.refuse = lambda entity, row: (
        ("invalid_phone", f"{row['phone_number']} is no number") if entity == "clicks" else None
    )
    plan_push(shown, ["sends"])
    assert hook.messages == []
    push(shown, ["sends", "clicks"])
    assert hook.changes() == [("rejected:clicks", "firing")]
    account.refuse = None
    server.faults.active.append(parse_fault("reset-after,path=/history/revenue,times=1"))

    def make_unreadable(*_: object) -> None:
        """Once revenue was sent, contacts cannot be read, so that nothing can be settled."""
        server.faults.active[:] = [parse_fault("500,path=/contacts")]

    account.refuse = make_unreadable
    hasty = shown.model_copy(update={"retry_seconds": 0.2})
    with suppress(ServiceError):
        push(hasty, ["revenue"])
    account.refuse = None
    server.faults.active.clear()
    assert ("in_doubt:revenue", "firing") in hook.changes()
    doubtful = [doubt.identity for doubt in in_doubt(shown)]
    assert f"{len(doubtful):,} rows of revenue are in doubt" in hook.messages[-1]["text"]
    resolve(shown, doubtful, Outcome.REJECTED, "not there")
    assert ("in_doubt:revenue", "recovered") in hook.changes()
    assert "+1555" not in json.dumps(hook.messages)


def test_what_did_not_arrive_is_sent_later(
    shown: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing endpoint is warned of once, left alone for a while, then used again; the URL is in no log."""
    for status in (500, 302, 404):
        hook.status = status
        notify(shown, wrong(True), patient=True)
    notify(shown, wrong(True))
    assert hook.messages == []
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 1
    assert "s3cret" not in caplog.text
    hook.status = 200
    notify(shown, wrong(True))
    assert hook.messages == [], "it is left alone for some minutes"
    monkeypatch.setattr(notifying, "LEFT_ALONE", timedelta(0))
    notify(shown, wrong(True))
    notify(shown, [])
    notify(shown, wrong(False))
    assert hook.changes() == [("stale:contacts", "firing"), ("stale:contacts", "recovered")]
    assert hook.messages[1]["alerts"][0]["since"] is not None
    assert try_out(shown.alert_webhook.get_secret_value()) == ""
    assert "test" in hook.messages[-1]["text"]


def test_a_dead_or_silent_endpoint_fails_and_delays_no_run(
    settings_of: Callable[..., Settings], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an endpoint that refuses, nor one that never answers, nor a damaged record harms a pull."""
    monkeypatch.setattr(webhook, "POST_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        for number, address in enumerate((url, "http://127.0.0.1:1/")):
            settings = settings_of(server.url, tmp_path / f"d{number}", alert_webhook=address)
            notify(settings, wrong(True))
            notify(settings, wrong(True))
            pull(settings, ["lists"], "run")
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()  # it was waited for once, and then left alone
        (settings.data_dir / "alerts.json").write_text("{")
        pull(settings, ["lists"], "run")
    with pytest.raises(SettingsError, match="TRACKLY_ALERT_WEBHOOK must begin with https://"):
        settings_of(server.url, tmp_path, alert_webhook="ftp://there")
    for address in (
        "http://[bad/",
        "https:///t0ken",
        "https://u:t0ken@a..b/",
        "https://a:99999/t0ken",
        "https://a/t0ken ",
    ):
        with pytest.raises(SettingsError, match="TRACKLY_ALERT_WEBHOOK must") as caught:
            settings_of(server.url, tmp_path, alert_webhook=address)
        assert "t0ken" not in str(caught.value)


def test_conditions_are_judged_at_their_limits(settings: Settings) -> None:
    """Stale beyond the hours, rejected beyond the share, in doubt from one row on; all else is well."""
    pull(settings, ["lists"], "run")
    manifests = published(settings.warehouse)
    made = datetime.fromisoformat(manifests["lists"].finished_at)
    day = timedelta(hours=24)
    ages = {
        hours: [c.firing for c in of_pulls(settings, manifests, made + hours)]
        for hours in (timedelta(0), day, day + timedelta(minutes=1))
    }
    assert list(ages.values()) == [[False], [False], [True]]
    assert of_pulls(settings, {}, datetime.now(UTC)) == []
    assert not any(condition.firing for condition in conditions(settings, outcomes))
    counts = {
        "sends": Outcomes(rows_in=100, accepted=99, rejected=1),
        "clicks": Outcomes(rows_in=100, accepted=98, rejected=2),
        "revenue": Outcomes(rows_in=100, accepted=99, in_doubt=1),
    }
    found = {c.name: c for c in (*of_pushes(settings, counts), *of_doubt(counts, {"revenue": 2}))}
    firing = {name for name, one in found.items() if one.firing}
    assert firing == {"rejected:clicks", "in_doubt:revenue"}
    doubt = found["in_doubt:revenue"]
    assert (
        doubt.text
        == "3 rows of revenue are in doubt, 2 of them not in the current input, or quarantined there"
    )
    assert doubt.figures == {"in_doubt": 3, "not_in_input": 2}
    assert of_runs([]) == []


def test_runs_by_dagster_alert_alike(shown: Settings, hook: Hook, server: Server, tmp_path: Path) -> None:
    """A step of Dagster's that fails alerts once, and one that goes well takes it back and writes metrics."""
    (tmp_path / "collector").mkdir()
    settings = shown.model_copy(update={"metrics_dir": tmp_path / "collector", "retry_seconds": 0.1})

    def run() -> dg.ExecuteInProcessResult:
        trackly = {"trackly": GivenTrackly(settings)}
        return dg.materialize([DATASETS["offers"]], resources=trackly, raise_on_error=False)

    server.faults.active.append(parse_fault("500,path=/offers"))
    assert not run().success
    assert hook.changes() == [("failed:pull offers", "firing")]
    server.faults.active.clear()
    done = run()
    assert done.success
    assert hook.changes() == [("failed:pull offers", "firing"), ("failed:pull offers", "recovered")]
    assert hook.messages[-1]["alerts"][0]["figures"]["run"] == done.run_id
    assert (tmp_path / "collector" / "trackly_sync_pull.prom").exists()


def test_what_cannot_be_read_is_an_alert_and_hides_no_other(
    shown: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged ledger, and a damaged record: all that needs neither is judged, shown and sent, and they recover."""
    pull(shown, ["lists"], "good")
    ledger, record = shown.data_dir / "ledger.db", shown.data_dir / "runs" / "2-damaged-pull-x.json"
    ledger.write_bytes(b"no database")
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(shown.data_dir))
    monkeypatch.setenv("TRACKLY_ALERT_STALE_HOURS", "0.000001")
    monkeypatch.setenv("TRACKLY_ALERT_WEBHOOK", hook.url)
    with pytest.raises(StorageError, match="not a database"):
        inspect.unwrap(status_command)()
    text = capsys.readouterr().out
    assert "stale" not in text
    assert "lists is 0.0 h old" in text
    assert "file is not a database" in text
    record.write_bytes(b"{")
    assert inspect.unwrap(alerts)() == 0
    expected = {"stale:lists", "damaged:pushes", "damaged:runs"}
    assert {name for name, state in hook.changes() if state == "firing"} - {"low:disk"} == expected
    ledger.unlink()
    record.unlink()
    assert inspect.unwrap(alerts)() == 0
    assert {name for name, state in hook.changes() if state == "recovered"} == {
        "damaged:pushes",
        "damaged:runs",
    }


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can be written as long as the block goes on."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_a_full_disk_alerts_though_nothing_can_be_put_on_record(
    shown: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What failed and that the disk is full, once in a process; a record that is missing is warned of once."""
    pull(shown, ["lists"], "good")
    usage = shutil.disk_usage(shown.data_dir)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    for run in ("full", "again"):
        with full_disk(), pytest.raises(StorageError):
            pull(shown, ["lists"], run)
    assert set(hook.changes()) == {("low:disk", "firing"), ("failed:pull lists", "firing")}
    assert len(hook.changes()) == 2
    assert len([one for one in caplog.records if "not on record" in one.getMessage()]) == 1
    assert {c.name for c in conditions(shown) if c.firing} == {"low:disk", "failed:pull lists"}
    assert _disk(shown).verdict == "fail"
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(shown.data_dir))
    assert [inspect.unwrap(alerts)(exit_code=given) for given in (False, True)] == [0, 1]
    monkeypatch.undo()
    assert (_disk(shown).verdict, of_disk(shown).firing) == ("ok", False)
    pull(shown, ["lists"], "room")
    assert set(hook.changes()[2:]) == {("low:disk", "recovered"), ("failed:pull lists", "recovered")}
    assert json.loads((shown.data_dir / "alerts.json").read_bytes())["firing"] == {}


def test_one_process_sends_and_a_disk_that_takes_no_lock_keeps_nobody_quiet(
    shown: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two at once would send the same twice; an alert that is lost is worse than one that comes twice."""
    monkeypatch.setattr(notifying, "POST_SECONDS", 0.01)
    shown.data_dir.mkdir(exist_ok=True)
    with FileLock(shown.data_dir / ".alerts.json.lock"):
        notify(shown, wrong(firing=True))
    assert hook.messages == []
    assert "another process is sending them" in caplog.text
    (shown.data_dir / ".alerts.json.lock").unlink(missing_ok=True)
    (shown.data_dir / ".alerts.json.lock").mkdir()
    notify(shown, wrong(firing=True))
    assert len(hook.messages) == 1
