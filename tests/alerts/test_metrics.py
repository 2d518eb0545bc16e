"""Metrics say what the account, the warehouse and the ledger say."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from beginnings import seeded
from oracle import query
from prometheus_client.parser import text_string_to_metric_families

from pipelines.errors import TracklySyncError
from pipelines.pull.run import pull
from pipelines.push.run import push
from pipelines.sandbox import Account, Server, parse_fault, write_history
from pipelines.settings import Settings
from schemas.registry import PULLED, PUSHED

Metrics = dict[tuple[str, ...], float]


@pytest.fixture
def account() -> Account:
    """Two pages of contacts."""
    return seeded(1_200)


def read(path: Path) -> Metrics:
    """A file as Prometheus reads it: name and label values to value."""
    families = text_string_to_metric_families(path.read_text())
    return {
        (sample.name.removeprefix("trackly_sync_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_metrics_say_what_happened(
    settings_of: Callable[..., Settings], server: Server, account: Account, tmp_path: Path
) -> None:
    """Rows by dataset and outcome, requests and retries, last success, also after a failure; nothing personal."""
    folder = tmp_path / "collector"
    folder.mkdir()
    settings = settings_of(server.url, tmp_path / "data", metrics_dir=folder)
    started = datetime.now(UTC).timestamp()
    server.faults.active.append(parse_fault("503,path=/contacts,times=2"))
    pull(settings, list(PULLED), "first")
    export = write_history(account, settings.history, sends=200)
    posts = len(account.log)
    push(settings, list(PUSHED))
    pulled, pushed = read(folder / "trackly_sync_pull.prom"), read(folder / "trackly_sync_push.prom")

    tables = {name: query(settings.warehouse, f"SELECT count(*) FROM main.{name}")[0][0] for name in PULLED}
    assert {name: pulled["rows", name] for name in PULLED} == tables
    assert tables["contacts"] == len(account.contacts())
    assert pulled["last_run_retries", "pull contacts"] == 2
    asked = sum(
        request.method == "GET" and request.path.endswith("/contacts") for request in account.log[:posts]
    )
    assert pulled["last_run_requests", "pull contacts"] + 2 == asked
    counted = query(
        settings.warehouse,
        "SELECT dataset, outcome, count(*) FROM imports.records WHERE in_input GROUP BY ALL",
    )
    assert counted
    for dataset, outcome, rows in counted:
        assert pushed["import_rows", dataset, outcome] == rows
    assert pushed["import_rows", "revenue", "in_doubt"] == 0
    assert pushed["import_rows", "sends", "quarantined"] == export.bad["sends"]
    for name in ("sends", "clicks"):
        sent = sum(r.method == "POST" and r.path.endswith(name) for r in account.log)
        assert pushed["last_run_requests", f"push {name}"] == sent > 0
    success = pulled["last_success_timestamp_seconds", "publish"]
    assert started <= success <= datetime.now(UTC).timestamp()

    server.faults.active.append(parse_fault("revoke"))
    with pytest.raises(TracklySyncError):
        pull(settings, ["contacts"], "second")
    after = read(folder / "trackly_sync_pull.prom")
    assert (pulled["last_run_success", "pull contacts"], after["last_run_success", "pull contacts"]) == (1, 0)
    succeeded = ("last_success_timestamp_seconds", "pull contacts")
    assert after[succeeded] == pulled[succeeded] < after["last_run_timestamp_seconds", "pull contacts"]
    shown = "".join(path.read_text() for path in folder.iterdir())
    assert "+1555" not in shown
    assert settings.require_key() not in shown


def test_metrics_fail_no_run(
    settings_of: Callable[..., Settings], server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that is not there is a warning, and the pull is published."""
    settings = settings_of(server.url, tmp_path / "data", metrics_dir=tmp_path / "nowhere")
    pull(settings, ["lists"], "run")
    assert "Metrics could not be written" in caplog.text
    assert query(settings.warehouse, "SELECT count(*) FROM lists") == [(5,)]
