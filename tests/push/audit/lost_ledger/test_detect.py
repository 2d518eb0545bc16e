"""A ledger that was lost or is older than what was pushed is reported by everything that shows how things stand."""

import inspect
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from beginnings import seeded
from pushed_thrice import Pushed

from pipelines.alerts.after_run import conditions
from pipelines.cli.commands.doctor import doctor
from pipelines.cli.commands.reconcile import reconcile as reconcile_command
from pipelines.cli.commands.rejects import rejects
from pipelines.cli.commands.report import report
from pipelines.cli.commands.resolve import resolve
from pipelines.cli.commands.status import status
from pipelines.cli.shared.attention import attention
from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.audit.alerts import push_conditions
from pipelines.push.audit.lost_ledger.detect import Lost, lost
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.ledger.status import outcomes
from pipelines.push.run import intake, push
from pipelines.sandbox import API_KEY, Account
from pipelines.settings import Settings
from pipelines.warehouse.published import published

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]


@pytest.fixture
def account() -> Account:
    """A small account: it is read several times."""
    return seeded(60)


def firing(settings: Settings) -> dict[str, str]:
    """By name what alerts, with text and remedy."""
    found = conditions(settings, outcomes, push_conditions)
    return {one.name: f"{one.text}. {one.remedy}" for one in found if one.firing}


def lose(settings: Settings, backup: Path | None = None) -> None:
    for file in settings.data_dir.glob("ledger.db*"):
        file.unlink()
    if backup:
        shutil.copy(backup, settings.data_dir / "ledger.db")


def shown(command: Callable[..., Any], capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    """What a command shows, in one line; run in this process."""
    inspect.unwrap(command)(**options)
    output = capsys.readouterr()
    return " ".join(f"{output.out} {output.err}".split())


def test_a_ledger_that_is_lost_or_older_is_reported_everywhere(
    pushed: Pushed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By alerts, status, doctor, the report, rejects and reconcile; no longer once it is back or was taken over."""
    settings, account = pushed.settings, pushed.account
    given = (("API_KEY", API_KEY), ("BASE_URL", settings.base_url), ("DATA_DIR", settings.data_dir))
    for name, value in given:
        monkeypatch.setenv(f"TRACKLY_{name}", str(value))
    pushed.restore("present", "of the second push")
    with (settings.history / "sends.ndjson").open("a") as file:
        file.write('{"id": "bad"}\n')  # for `rejects`
    intake(settings, ["sends"])
    publish_imports(settings)
    assert not lost(settings)
    assert "lost:ledger" not in firing(settings)

    lose(settings, pushed.backups / "of the second push" / "ledger.db")
    assert "does not know 1 call" in firing(settings)["lost:ledger"]
    lose(settings)
    text = firing(settings)["lost:ledger"]
    unknown = f"does not know {len(lost(settings).calls)} calls"
    assert unknown in text
    assert len(lost(settings).calls) == len(account.log) - sum(item.method == "GET" for item in account.log)
    assert "trackly-sync adopt" in text
    assert text in attention(settings, published(settings.warehouse), outcomes(settings))
    for command, options in (
        (status, {}), (status, {"as_json": True}), (rejects, {}), (reconcile_command, {"quiet": True}),
        (resolve, {}),
    ):  # fmt: skip
        answer = shown(command, capsys, **options)
        assert unknown in answer, command
        assert command is not reconcile_command or "To send history" not in answer
    assert inspect.unwrap(reconcile_command)(as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "ledger_lost"
    findings = json.loads(shown(doctor, capsys, as_json=True))
    assert any(unknown in str(one) for one in findings)
    assert {one["check"]: one["verdict"] for one in findings}["ledger"] == "fail"
    shown(report, capsys)
    assert unknown in " ".join((settings.data_dir / "report.html").read_text().split())

    warehouse = settings.warehouse.rename(settings.data_dir / "away.duckdb")
    assert "the ledger is empty" in firing(settings)["lost:ledger"], "the archive knows of it too"
    warehouse.rename(settings.warehouse)
    adopt(settings)
    assert "lost:ledger" not in firing(settings)
    lose(settings, pushed.state.data_dir / "ledger.db")
    assert "lost:ledger" not in firing(settings)


def test_nothing_or_sends_alone(settings: Settings, write: Write, some_sends: Some) -> None:
    """An empty data directory alerts; a reconciliation without anything to compare does not say that it agrees.

    Where sends alone are lost another push is the remedy, since the API skips repeats: afterwards nothing is amiss.
    """
    assert set(firing(settings)) == {"empty:data"}
    done = reconcile(settings)
    assert (done.verdict, done.contacts, done.missing, done.agrees) == ("nothing_to_compare", 0, 0, True)
    assert firing(settings) == {}
    found = {one.name: one.text for one in conditions(settings, outcomes, push_conditions)}
    assert found["missing:reconcile"] == "nothing was accepted yet"
    assert found["damaged:warehouse"] == "the warehouse can be read"
    write("sends.ndjson", some_sends(2))
    push(settings, ["sends"])
    assert reconcile(settings).verdict == "agrees"
    lose(settings)
    assert "push again" in firing(settings)["lost:ledger"]
    push(settings, ["sends"])
    assert "lost:ledger" not in firing(settings)


@pytest.mark.parametrize(
    ("datasets", "counted"),
    [
        (("sends",), "1 call that"),
        (("revenue", "revenue"), "2 calls of revenue that"),
        (("sends", "clicks", "revenue", "revenue"), "4 calls (2 of revenue) that"),
    ],
)
def test_calls_of_revenue_are_counted_as_a_push_counts_them(datasets: tuple[str, ...], counted: str) -> None:
    """`doctor` and `alerts` name all calls, and how many of them are those that a push refuses for."""
    calls = {datetime(2026, 11, 1, hour, tzinfo=UTC): name for hour, name in enumerate(datasets)}
    assert f"the ledger does not know {counted}" in Lost(calls).text
