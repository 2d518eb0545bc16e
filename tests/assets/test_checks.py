"""Checks on history and imports: each passes on good data and can fail; and what a failed or stopped run leaves."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pytest
from oracle import query
from processes import environment

from assets.checks import dataset_checks, import_checks
from assets.definitions import build_defs
from assets.graph.pulled import DATASETS
from assets.graph.pushed import PUSHED_ASSETS, imported_sends
from assets.inspection.lookups import noticed
from assets.resources import GivenTrackly
from assets.runs.in_process import QUIET, run_job
from assets.runs.progress import step_of
from pipelines.cli.shared.attention import attention
from pipelines.errors import AccessError, DataError, UsageError
from pipelines.pull.run import publish_latest, snapshot_dataset
from pipelines.push.resolve import acknowledge_differing
from pipelines.push.run import push
from pipelines.sandbox import Account, Server, parse_fault, write_history
from pipelines.settings import Settings
from pipelines.warehouse.published import published
from schemas.registry import PULLED, PUSHED

ROOT = Path(__file__).parents[2]


def results(checks: dg.AssetChecksDefinition, settings: Settings) -> dict[str | None, dg.AssetCheckResult]:
    context = () if len(list(checks.check_keys)) == 1 else (dg.build_asset_check_context(),)
    found: Any = checks(*context, trackly=GivenTrackly(settings))
    return {item.check_name: item for item in ([found] if isinstance(found, dg.AssetCheckResult) else found)}


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
    assert noticed(settings, "sends") == {"differs": 1, "conflicts": 0, "recorded": 3}
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
    assert noticed(settings, "sends").items() >= {"differs": 0, "conflicts": 2}.items()
    assert results(check, settings)["left_out"].metadata["conflicts"].value == 2


def test_a_failed_push_raises_our_error_and_leaves_its_books(
    account: Account, server: Server, settings: Settings
) -> None:
    """A key revoked during the push stops it with the remedy, and imports.records tell how far it came."""
    write_history(account, settings.history, sends=200)
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


def test_history_that_is_missing_fails_the_push(settings: Settings) -> None:
    """The push job asks for history, and the message says where to put it."""
    with pytest.raises(UsageError, match="TRACKLY_HISTORY_DIR"):
        run_job("push", settings)


@pytest.mark.usefixtures("pulled")
def test_a_sync_without_history_sends_nothing(account: Account, settings: Settings) -> None:
    """Its imports and its reconciliation are skipped; that it pulls like another is in test_sync.py."""
    job = build_defs(resource_overrides={"trackly": GivenTrackly(settings)}).resolve_job_def("sync")
    pushes = [name for asset in PUSHED_ASSETS for name in asset.keys]
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(
            run_config={**(job.run_config or {}), **QUIET}, instance=instance, asset_selection=pushes
        )
        steps = [step for entry in instance.all_logs(done.run_id) if (step := step_of(entry))]
    skipped = {step.name for step in steps if step.state == "skipped"}
    assert skipped >= {*(f"imported_{name}" for name in PUSHED), "reconciliation"}
    assert not any(item.method == "POST" for item in account.log)


def test_a_malformed_setting_fails_the_step_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Definitions load with settings that cannot be used; the step that needs them says which and why."""
    monkeypatch.setenv("TRACKLY_API_KEY", "sk_live_secret")
    job = build_defs().resolve_job_def("pull")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(run_config=QUIET, instance=instance, raise_on_error=False)
    (failed,) = {
        event.step_failure_data.user_failure_data.description for event in result.get_step_failure_events()
    }
    assert failed.startswith("TRACKLY_API_KEY must begin with trk_")
    assert "sk_live_secret" not in str(result.all_events)


_TWICE = """
import sys
from assets.runs.in_process import main
for _ in range(2):
    print("ended with", main("pull"), flush=True)
"""


def test_a_stopped_run_leaves_nothing_half_done(account: Account, server: Server, settings: Settings) -> None:
    """Ctrl-C and SIGTERM end the run with 130: no draft, no warehouse, and the record says stopped."""
    server.faults.active.append(parse_fault("latency,seconds=1,times=1000"))
    with subprocess.Popen(
        [sys.executable, "-c", _TWICE], cwd=ROOT, env=environment(settings), stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        for number in (signal.SIGINT, signal.SIGTERM):
            assert child.stdout.readline().startswith("Running the Dagster job pull")
            wait_for(lambda: any((settings.data_dir / "runs").glob("*.begun")))
            asked = len(account.log)
            wait_for(lambda asked=asked: len(account.log) > asked)
            child.send_signal(number)
            assert child.stdout.readline() == "ended with 130\n"
            assert not settings.warehouse.exists()
            assert not list(settings.parquet_dir.glob("*/.*Z-*"))
    stopped = [path.read_text() for path in (settings.data_dir / "runs").glob("*.json")]
    assert len(stopped) > 1
    assert all('"stopped"' in text for text in stopped)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180  # imports alone take long on a busy machine
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
