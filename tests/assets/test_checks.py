"""Checks on history and imports: each passes on good data and can fail; and what a failed or stopped run leaves."""

import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import msgspec
import pytest
from oracle import query
from processes import environment

from assets.checks import dataset_checks, import_checks, nothing_twice, the_books_agree
from assets.definitions import build_defs
from assets.graph.pulled import DATASETS
from assets.graph.pushed import history_sends, imported_sends
from assets.inspection.lookups import input_content, noticed
from assets.resources import GivenTrackly
from assets.runs.in_process import JobResult, Step, main, run_job
from pipelines.cli.shared.attention import attention
from pipelines.errors import AccessError, DataError, UsageError
from pipelines.pull.run import publish_latest, snapshot_dataset
from pipelines.push.ledger.ledger import open_ledger
from pipelines.push.ledger.queries.revenue.absent import Entry, raise_alarm
from pipelines.push.ledger.queries.revenue.alarms import acknowledge
from pipelines.push.resolve import acknowledge_differing
from pipelines.push.run import push
from pipelines.push.stage.database import stage_path
from pipelines.sandbox import API_KEY, Account, Server, parse_fault, running, seed_account, write_history
from pipelines.settings import Settings, load_settings
from pipelines.warehouse.published import published
from pipelines.warehouse.swap import replacing
from schemas.registry import PULLED, PUSHED

ROOT = Path(__file__).parents[2]


def results(checks: dg.AssetChecksDefinition, settings: Settings) -> dict[str | None, dg.AssetCheckResult]:
    context = () if len(list(checks.check_keys)) == 1 else (dg.build_asset_check_context(),)
    found: Any = checks(*context, trackly=GivenTrackly(settings))
    return {item.check_name: item for item in ([found] if isinstance(found, dg.AssetCheckResult) else found)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[JobResult, Settings]]:
    """A finished sync of a small export, shared by tests that look at it; its settings."""
    account = seed_account(contacts=1_000)
    with running(account) as server:
        settings = load_settings(
            api_key=API_KEY, base_url=server.url, data_dir=tmp_path_factory.mktemp("world")
        )
        write_history(account, settings.history, sends=200)
        yield run_job("sync", settings), settings


def test_left_out_rows_warn_with_their_reasons(world: tuple[JobResult, Settings]) -> None:
    """Rows that are not sent are named by reason and number."""
    synced, _ = world
    warned = {step.name: step.metadata for step in synced.checks}
    assert warned["imported_clicks: left_out"]["left_out"] == 2
    assert sum(n for reason, n in warned["imported_clicks: left_out"].items() if ": " in reason) == 2


def test_rows_that_differ_or_are_in_conflict_are_figures_and_warn(
    account: Account, settings: Settings
) -> None:
    """No check is green where the command would end with 3; what was acknowledged is."""
    settings.history.mkdir(parents=True)
    contact = account.contacts()[0]
    rows = [f"m{n},{contact['phone_number']},2024-05-01,{contact['list_id']}" for n in range(3)]
    (settings.history / "sends.csv").write_text("\n".join(["id,to_number,timestamp,list_id", *rows]))
    push(settings, ["sends"])
    check = import_checks(imported_sends, "sends")
    assert all(found.passed for found in results(check, settings).values())
    changed = [rows[0].replace("05-01", "05-02"), *rows[1:]]
    (settings.history / "sends.csv").write_text("\n".join(["id,to_number,timestamp,list_id", *changed]))
    push(settings, ["sends"])
    assert noticed(settings, "sends") == {"differs": 1, "conflicts": 0}
    found = results(check, settings)
    assert found["conservation"].passed
    assert not found["left_out"].passed
    assert found["left_out"].metadata["differs from what was sent"].value == 1
    acknowledge_differing(settings, ["sends"], "seen")
    assert all(one.passed for one in results(check, settings).values())
    (settings.history / "sends-b.csv").write_text(
        "\n".join(["id,to_number,timestamp,list_id", changed[0][:-1] + "9"])
    )
    push(settings, ["sends"])
    assert noticed(settings, "sends") == {"differs": 0, "conflicts": 2}
    assert results(check, settings)["left_out"].metadata["conflicts"].value == 2


def test_every_materialization_carries_its_figures(world: tuple[JobResult, Settings]) -> None:
    """Rows, duration and a preview everywhere, no phone number whole; outcomes that sum to the rows of the input."""
    synced, settings = world
    assert len(synced.assets) == 16
    for name, figures in synced.assets.items():
        if name == "report":
            assert figures["bytes"] > 1_000
            continue
        assert {"dagster/row_count", "duration_seconds", "preview"} <= set(figures), name
        assert not re.search(r"\+15550\d{6}|\+1555900\d{4}", str(figures)), name
        assert API_KEY not in str(figures), name
    assert "…" in str(synced.assets["contacts"]["preview"].records), "phones are masked, not hidden"
    for name in PUSHED:
        figures = synced.assets[f"imported_{name}"]
        seven = ("accepted", "duplicate", "rejected", "quarantined", "parked", "in_doubt", "pending")
        assert sum(figures[f"input_{outcome}"] for outcome in seven) == figures["input_rows_in"]
        assert (
            figures["sent"]
            == figures["accepted"]
            == figures["input_accepted"]
            == figures["dagster/row_count"]
        )
    ((run,),) = query(settings.warehouse, "SELECT DISTINCT run FROM sync.runs WHERE activity = 'pull lists'")
    assert run == synced.run, "the run record has Dagster's run id"


def test_the_checks_of_history_and_imports_can_each_fail(world: tuple[JobResult, Settings]) -> None:
    """Good rows pass; rows tampered with after the intake, a lost record and sums that differ fail as errors."""
    synced, settings = world
    assert {step.name for step in synced.checks if step.state == "broken"} == set()
    contract = dataset_checks(history_sends, PUSHED["sends"], input_content)
    assert results(contract, settings)["contract"].passed
    with duckdb.connect(str(stage_path(settings, "sends"))) as connection:
        connection.execute("UPDATE input SET to_number = '555', length = -1 WHERE seq IN (5, 6)")
    broken = results(contract, settings)["contract"]
    assert (broken.passed, broken.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert broken.metadata["to_number: must be E.164, like +15551234567"].value == 2
    assert broken.metadata["length: must be at least 0"].value == 2

    conservation = import_checks(imported_sends, "sends")
    assert results(conservation, settings)["conservation"].passed
    with replacing(settings.warehouse) as connection:
        connection.execute("DELETE FROM imports.records WHERE dataset = 'sends' AND row = 9")
    lost = results(conservation, settings)["conservation"]
    assert (lost.passed, lost.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert lost.metadata["rows without an outcome"].value == 1
    assert lost.metadata["accepted"].value == -1

    assert results(the_books_agree, settings)[None].passed
    with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE push_chunks SET total_revenue = total_revenue + 1 WHERE dataset = 'revenue'")
    assert not results(the_books_agree, settings)[None].passed

    assert results(nothing_twice, settings)[None].passed
    with open_ledger(settings) as opened, opened.begin("revenue") as connection:
        late = Entry(1, "r1", 1, "+15551234567", "1", 50_000, "2026-01-01", None, None, 0, 0, 0, 0, False)
        number = raise_alarm(connection, [late], "2026-01-01T00:00:00+00:00", 75.0, 112.5)
    found = results(nothing_twice, settings)[None]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"--acknowledge {number}" in str(found.description)
    assert found.metadata["amount"].value == 5.0
    with open_ledger(settings) as opened, opened.begin("revenue") as connection:
        acknowledge(connection, number, "seen", "2026-01-02T00:00:00+00:00")
    assert results(nothing_twice, settings)[None].passed


def test_a_failed_push_raises_our_error_and_leaves_its_books(
    account: Account, server: Server, settings: Settings
) -> None:
    """A key revoked during the push stops it with the remedy, and imports.records tell how far it came."""
    write_history(account, settings.history, sends=200)
    run_job("pull", settings)
    server.faults.active.append(parse_fault("revoke,path=/history/clicks"))
    with pytest.raises(AccessError, match="TRACKLY_API_KEY"):
        run_job("push", settings)
    counts = dict(
        query(
            settings.warehouse,
            "SELECT outcome, count(*) FROM imports.records WHERE dataset = 'sends' GROUP BY 1",
        )
    )
    assert counts["accepted"] == 200
    assert query(settings.warehouse, "SELECT DISTINCT outcome FROM imports.records WHERE dataset = 'revenue'")


def test_a_blocking_check_stops_what_comes_after(
    account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that break the contract behind the engine's back are not published."""
    account.contacts()[0]["send_count"] = -3
    monkeypatch.setattr("pipelines.pull.write.validate.broken_rows", lambda *_: {})
    with pytest.raises(DataError, match="contract"):
        run_job("pull", settings)
    assert not settings.warehouse.exists()


def test_a_fuzzy_snapshot_warns(settings: Settings) -> None:
    """A claim about completeness that is not shown is a warning on the dataset, with the evidence."""
    made = snapshot_dataset(settings, "offers", "r1")
    checks = dataset_checks(DATASETS["offers"], PULLED["offers"])
    assert results(checks, settings)["consistency"].passed
    fuzzy = msgspec.structs.replace(made.manifest, consistency="fuzzy", evidence="a page was not to be had")
    (made.folder / "manifest.json").write_bytes(msgspec.json.encode(fuzzy))
    found = results(checks, settings)["consistency"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.metadata["evidence"].value == "a page was not to be had"


def test_rows_that_are_claimed_and_missing_fail_a_check(server: Server, settings: Settings) -> None:
    """Where the account claims more than it serves, a check fails with the number, and `status` has it."""
    server.faults.active.append(parse_fault("more,value=3,path=/offers"))
    snapshot_dataset(settings, "offers", "r1")
    found = results(dataset_checks(DATASETS["offers"], PULLED["offers"]), settings)
    assert (found["claimed"].passed, found["claimed"].severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert found["claimed"].metadata["rows that the account claims and did not serve"].value == 6
    assert not found["consistency"].passed
    publish_latest(settings, "r1")
    (note,) = attention(settings, published(settings.warehouse), {})
    assert "offers is fuzzy" in note
    assert "6 rows that the API claims" in note


def test_a_dataset_that_the_account_does_not_serve_is_no_failure(
    account: Account, settings: Settings
) -> None:
    """Its asset says what the account answered, its checks have nothing to find, and the warehouse is made."""
    account.options.unserved = ("creatives",)
    done = dg.materialize([DATASETS["creatives"]], resources={"trackly": GivenTrackly(settings)})
    (made,) = done.get_asset_materialization_events()
    metadata = made.step_materialization_data.materialization.metadata
    assert metadata["served"].value is False
    assert "404" in str(metadata["answer"].value)
    found = results(dataset_checks(DATASETS["creatives"], PULLED["creatives"]), settings)
    assert all(result.passed for result in found.values())


def test_implausible_times_warn_and_are_kept(account: Account, settings: Settings) -> None:
    """A pull keeps what the account says; a check names the columns, and `status` does."""
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    account.offers[0]["created_at"], account.offers[1]["updated_at"] = "0001-01-01T00:00:00Z", later
    account.offers[2]["updated_at"] = "1999-12-31T23:59:59.999999Z"
    account.offers[3]["updated_at"] = datetime.now(UTC).isoformat()
    snapshot_dataset(settings, "offers", "r1")
    found = results(dataset_checks(DATASETS["offers"], PULLED["offers"]), settings)["plausible_times"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert {name: value.value for name, value in found.metadata.items()} == {"created_at": 1, "updated_at": 2}
    publish_latest(settings, "r1")
    assert query(settings.warehouse, "SELECT min(created_at)::VARCHAR FROM offers") == [
        ("0001-01-01 00:00:00+00",)
    ]
    (note,) = attention(settings, published(settings.warehouse), {})
    assert "created_at (1), updated_at (2)" in note


def test_history_that_is_missing_fails_what_asks_for_it(settings: Settings) -> None:
    """Materialized by itself or by the push job history must be there; the message says where to put it."""
    with pytest.raises(UsageError, match="TRACKLY_HISTORY_DIR"):
        run_job("push", settings)
    steps: list[Step] = []
    run_job("sync", settings, on_step=steps.append)
    assert {step.name for step in steps if step.state == "skipped"} >= {"imported_sends", "reconciliation"}


def test_a_malformed_setting_fails_the_step_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Definitions load with settings that cannot be used; the step that needs them says which and why."""
    monkeypatch.setenv("TRACKLY_API_KEY", "sk_live_secret")
    job = build_defs().resolve_job_def("pull")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(run_config=quiet, instance=instance, raise_on_error=False)
    (failed,) = {
        event.step_failure_data.user_failure_data.description for event in result.get_step_failure_events()
    }
    assert failed.startswith("TRACKLY_API_KEY must begin with trk_")
    assert "sk_live_secret" not in str(result.all_events)


def test_as_a_program_it_tells_each_step_and_exits_with_our_codes(
    account: Account,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """0 done, 2 settings, 3 rows left out beyond the limit."""
    assert main("pull") == 2
    assert "TRACKLY_API_KEY" in capsys.readouterr().err
    monkeypatch.setenv("TRACKLY_API_KEY", API_KEY)
    monkeypatch.setenv("TRACKLY_BASE_URL", settings.base_url)
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(settings.data_dir))
    write_history(account, settings.history, sends=200)
    assert main("sync") == 3
    assert "imported_sends" in capsys.readouterr().out
    monkeypatch.setenv("TRACKLY_PUSH_LEFT_OUT_SHARE", "1")
    assert main("push") == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_nothing_half_done(
    account: Account, server: Server, settings: Settings, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM end the run with 130: no draft, no warehouse, and the record says stopped."""
    server.faults.active.append(parse_fault("latency,seconds=1,times=1000"))
    command = [sys.executable, "-m", "assets.runs.in_process", "pull"]
    with subprocess.Popen(command, cwd=ROOT, env=environment(settings), stdout=subprocess.PIPE) as child:
        wait_for(lambda: len(account.log) > 0)
        child.send_signal(number)
        child.communicate(timeout=180)
    assert child.returncode == 130
    assert not settings.warehouse.exists()
    assert not list(settings.parquet_dir.glob("*/.*Z-*"))
    assert '"stopped"' in next((settings.data_dir / "runs").glob("*.json")).read_text()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180  # imports alone take long on a busy machine
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
