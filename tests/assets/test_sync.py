"""What a whole sync by Dagster leaves in the account, the warehouse and its records; its checks can fail."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb
import pytest
from oracle import query, same, shown

from assets.checks import dataset_checks, import_checks, nothing_twice, the_books_agree
from assets.graph.pushed import history_sends, imported_sends
from assets.inspection.lookups import input_content
from assets.resources import GivenTrackly
from assets.runs.in_process import JobResult, Step, main, run_job
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.absent import Entry, raise_alarm
from pipelines.push.ledger.queries.revenue.alarms import acknowledge
from pipelines.push.stage.database import stage_path
from pipelines.sandbox import API_KEY, Account, Export, running, seed_account, write_history
from pipelines.settings import Settings, load_settings
from pipelines.warehouse.swap import replacing
from schemas.registry import PUSHED

PHONES = r"\+15550\d{6}|\+1555900\d{4}"
"""Those of the account and of its export."""


@dataclass
class World:
    """A finished sync.

    Attributes:
        synced: what it came to.
        steps: all that it told on its way.
        run: as Dagster has it on record.
        written: all that is on record of it beside that.
        versions: by asset, the version that its materialization has; views have none.
        account: what it was about.
        contacts: those of the account before it began.
        export: the history that it imported.
        settings: where everything lies.
    """

    synced: JobResult
    steps: list[Step]
    run: dg.DagsterRun
    written: str
    versions: dict[str, str]
    account: Account
    contacts: list[dict[str, Any]]
    export: Export
    settings: Settings


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One sync of a small export for all tests: it takes the time of fifty of them."""
    account = seed_account(contacts=400)
    with running(account) as server:
        settings = load_settings(
            api_key=API_KEY, base_url=server.url, data_dir=tmp_path_factory.mktemp("world")
        )
        export = write_history(account, settings.history, sends=200)
        contacts, steps = deepcopy(account.contacts()), list[Step]()
        with dg.DagsterInstance.ephemeral() as instance:
            synced = run_job("sync", settings, instance=instance, on_step=steps.append)
            (run,) = instance.get_runs()
            events = [entry.dagster_event for entry in instance.all_logs(synced.run)]
        made = [
            event.step_materialization_data.materialization
            for event in events
            if event and event.is_step_materialization
        ]
        versions = {
            one.asset_key.to_user_string(): one.tags["dagster/data_version"] for one in made if one.tags
        }
        yield World(synced, steps, run, str(events), versions, account, contacts, export, settings)


def results(checks: dg.AssetChecksDefinition, settings: Settings) -> dict[str | None, dg.AssetCheckResult]:
    context = () if len(list(checks.check_keys)) == 1 else (dg.build_asset_check_context(),)
    found: Any = checks(*context, trackly=GivenTrackly(settings))
    return {item.check_name: item for item in ([found] if isinstance(found, dg.AssetCheckResult) else found)}


def test_a_sync_does_the_main_job(world: World) -> None:
    """Pull, import and reconciliation through Dagster leave the account and the warehouse as they should be."""
    account, export = world.account, world.export
    assert len(account.sends) == 200
    assert len(account.clicks) == export.rows["clicks"] - export.bad["clicks"] - export.repeated["clicks"]
    imported = [
        row for row in account.revenue if "record_id" not in row and row["message_id"] in account.sends
    ]
    assert sum(round(row["revenue"] * 10_000) for row in imported) == export.revenue
    records = query(world.settings.warehouse, "SELECT count(*) FROM imports.records")
    assert records == [(sum(export.rows.values()),)]
    assert world.synced.assets["imported_sends"]["accepted"] == 200
    assert world.synced.assets["reconciliation"]["agrees"] is True
    assert {step.name for step in world.synced.checks} == {
        f"history_{name}: quarantine" for name in PUSHED
    } | {f"imported_{name}: left_out" for name in PUSHED}, "the export has bad rows, and they show"


def test_a_sync_publishes_what_the_account_held(world: World) -> None:
    """The warehouse equals the account as it was pulled, with its figures; events name nobody, and not the key."""
    assert same(shown(world.settings.warehouse, "contacts"), world.contacts, "phone_number", "list_id")
    found = world.synced.assets["contacts"]
    assert (found["dagster/row_count"], found["quarantined"], found["consistency"]) == (400, 0, "exact")
    assert found["duration_seconds"] > 0
    assert "list_id" in found["preview"].records[0].data
    assert "webhook_events" not in world.synced.assets, "no receiver ever ran"
    assert "contacts" in world.written
    assert API_KEY not in world.written
    assert not re.search(PHONES, world.written), "no phone number whole"


def test_a_run_of_this_process_is_found_under_its_job(world: World) -> None:
    """The pages show a run on the timeline, and at its job, by the code location that it names."""
    origin = world.run.remote_job_origin
    assert origin
    assert origin.repository_origin.get_label() == "__repository__@assets.definitions"
    assert (world.run.job_name, origin.job_name, world.run.status.value) == ("sync", "sync", "SUCCESS")


def test_as_a_program_it_reports_each_step_and_exits_with_our_codes(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 settings, 3 rows left out beyond the limit, 0 done; a line for each asset and each check that warns."""

    def ran(_: str, settings: Settings, *, on_step: Callable[[Step], None], **__: Any) -> JobResult:
        assert settings.data_dir == world.settings.data_dir
        for step in world.steps:
            on_step(step)
        return world.synced

    assert main("pull") == 2
    assert "TRACKLY_API_KEY" in capsys.readouterr().err
    monkeypatch.setenv("TRACKLY_API_KEY", API_KEY)
    monkeypatch.setenv("TRACKLY_BASE_URL", world.settings.base_url)
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(world.settings.data_dir))
    assert main("sync", run=ran) == 3
    told = capsys.readouterr().out
    assert all(f"  {asset} " in told for asset in world.synced.assets)
    assert "imported_sends: left_out" in told
    monkeypatch.setenv("TRACKLY_PUSH_LEFT_OUT_SHARE", "1")
    assert main("sync", run=ran) == 0


def test_left_out_rows_warn_with_their_reasons(world: World) -> None:
    """Rows that are not sent are named by reason and number."""
    synced = world.synced
    warned = {step.name: step.metadata for step in synced.checks}
    assert warned["imported_clicks: left_out"]["left_out"] == 2
    assert sum(n for reason, n in warned["imported_clicks: left_out"].items() if ": " in reason) == 2


def test_every_materialization_carries_its_figures(world: World) -> None:
    """Rows, duration and a preview everywhere, no phone number whole; outcomes that sum to the rows of the input.

    Its version is the run, so that what was made of an earlier one is stale.
    """
    synced, settings = world.synced, world.settings
    assert len(synced.assets) == 16
    for name, figures in synced.assets.items():
        assert world.versions[name] == synced.run, name
        if name == "report":
            assert figures["bytes"] > 1_000
            continue
        assert {"dagster/row_count", "duration_seconds", "preview"} <= set(figures), name
        assert not re.search(PHONES, str(figures)), name
        assert API_KEY not in str(figures), name
    assert "…" in str(synced.assets["contacts"]["preview"].records), "phones are masked, not hidden"
    for name in PUSHED:
        figures = synced.assets[f"imported_{name}"]
        seven = ("accepted", "duplicate", "rejected", "quarantined", "parked", "in_doubt", "pending")
        assert sum(figures[f"input_{outcome}"] for outcome in seven) == figures["input_rows_in"]
        assert figures["sent"] == figures["accepted"] == figures["input_accepted"]
        held = query(settings.warehouse, f"SELECT count(*) FROM imports.records WHERE dataset = '{name}'")
        assert held == [(figures["dagster/row_count"],)]
    (different,) = query(settings.warehouse, "SELECT count(*) FROM imports.differences")
    assert different == (synced.assets["reconciliation"]["dagster/row_count"],)
    ((run,),) = query(settings.warehouse, "SELECT DISTINCT run FROM sync.runs WHERE activity = 'pull lists'")
    assert run == synced.run, "the run record has Dagster's run id"


def test_the_checks_of_history_and_imports_can_each_fail(world: World) -> None:
    """Good rows pass; rows tampered with after the intake, a lost record and sums that differ fail as errors."""
    synced, settings = world.synced, world.settings
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
        connection.execute("UPDATE imports.records SET differs = true WHERE dataset = 'sends' AND row = 8")
    lost = results(conservation, settings)["conservation"]
    assert (lost.passed, lost.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert lost.metadata["rows without an outcome"].value == 1
    assert lost.metadata["rows that differ from what was sent"].value == 1
    assert lost.metadata["accepted"].value == -1

    assert results(the_books_agree, settings)[None].passed
    with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE push_chunks SET total_revenue = total_revenue + 1 WHERE dataset = 'revenue'")
    assert not results(the_books_agree, settings)[None].passed

    assert results(nothing_twice, settings)[None].passed
    with open_ledger(settings) as opened, opened.begin("revenue") as connection:
        late = Entry(1, "r1", 1, "+15551234567", "1", 50_000, "2026-01-01", None, None, 0, 0, 0, 0, None)
        number = raise_alarm(connection, [late], "2026-01-01T00:00:00+00:00", 75.0, 112.5)
    found = results(nothing_twice, settings)[None]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"--acknowledge {number}" in str(found.description)
    assert found.metadata["amount"].value == 5.0
    with open_ledger(settings) as opened, opened.begin("revenue") as connection:
        acknowledge(connection, number, "seen", "2026-01-02T00:00:00+00:00")
    assert results(nothing_twice, settings)[None].passed
