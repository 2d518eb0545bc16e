"""The Dagster workspace: it loads, its graph is right, and its jobs do the main job against an account."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster._grpc.server import LoadedRepositories
from oracle import query
from receiving import arrive, delivery

from assets.checks import dataset_checks
from assets.definitions import build_defs
from assets.graph.pulled import DATASETS
from assets.jobs import JOBS
from assets.resources import Trackly
from assets.runs.in_process import QUIET
from pipelines.pull.run import snapshot_dataset
from pipelines.sandbox import API_KEY, Account, Server, parse_fault
from pipelines.settings import Settings
from pipelines.webhooks.queue.store import open_store
from pipelines.webhooks.queue.tables import STATE
from schemas.marts.registry import MARTS
from schemas.registry import DERIVED, PULLED, PUSHED

ROOT = Path(__file__).parents[2]
_ACCOUNT, _FILES = "trackly_account", "history_files"
GRAPH = {
    _ACCOUNT: set(),
    _FILES: set(),
    **{name: {_ACCOUNT} for name in PULLED},
    "revenue": {_ACCOUNT, "contacts"},
    "warehouse": set(PULLED),
    **{f"history_{name}": {_FILES, "warehouse"} for name in PUSHED},
    "imported_sends": {"history_sends"},
    "imported_clicks": {"history_clicks", "imported_sends"},
    "imported_revenue": {"history_revenue", "imported_sends"},
    "reconciliation": {"imported_sends", "imported_clicks", "imported_revenue"},
    "imported_months": {_FILES, "warehouse"},
    "webhook_events": {_ACCOUNT, "warehouse"},
    "report": {"warehouse", "imported_sends", "imported_clicks", "imported_revenue", "reconciliation"},
}

Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a job against the served account; the key is in the environment, as in a deployment."""
    monkeypatch.setenv("TRACKLY_API_KEY", API_KEY)
    monkeypatch.setenv("TRACKLY_RETRY_SECONDS", "1")
    monkeypatch.setenv("TRACKLY_BASE_URL", settings.base_url)
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(settings.data_dir))
    defs = build_defs()

    def run_job(name: str, assets: list[str] | None = None) -> dg.ExecuteInProcessResult:
        with dg.DagsterInstance.ephemeral() as instance:
            job = defs.resolve_job_def(name)
            return job.execute_in_process(
                run_config=QUIET,
                instance=instance,
                asset_selection=assets and [dg.AssetKey(asset) for asset in assets],
                raise_on_error=False,
            )

    return run_job


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {
        f"{evaluation.asset_key.to_user_string()}:{evaluation.check_name}": evaluation.passed
        for evaluation in result.get_asset_check_evaluations()
    }


def test_the_workspace_validates() -> None:
    """What workspace.yaml names loads as a code server loads it, without a key; a warning would be an error."""
    (origin,) = location_origins_from_yaml_paths([str(ROOT / "workspace.yaml")])
    before = os.umask(0o022)
    try:
        loaded = LoadedRepositories(origin.loadable_target_origin, None, [], None)
    finally:
        os.umask(before)
    (found,) = loaded.definitions_by_name.values()
    assert {job.name for job in found.get_all_jobs()} >= {job.name for job in JOBS}
    assert len(found.asset_graph.get_all_asset_keys()) > len(GRAPH)


def test_the_graph_is_as_designed() -> None:
    """Every asset depends on what its rows refer to, and on nothing else."""
    graph = build_defs().resolve_asset_graph()
    found = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    views = {f"marts_{name}" for name in MARTS} | set(DERIVED)
    assert {name: parents for name, parents in found.items() if name not in views} == GRAPH
    assert found.keys() == GRAPH.keys() | views
    assert found["marts_list_health"] == {"warehouse"}
    assert found["marts_people"] == {"warehouse", *(f"imported_{name}" for name in PUSHED)}
    assert found["marts_funnel"] >= {"marts_imported_messages"}


def test_every_asset_says_whose_it_is_and_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Owner, version, table and source code; data is promised to be fresh, imports only where they are scheduled."""
    graph = build_defs().resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    assert [name for name, node in nodes.items() if not node.owners or not node.description] == []
    assert [
        name for name, node in nodes.items() if not node.code_version and node.group_name != "sources"
    ] == []
    assert nodes["contacts"].code_version != nodes["lists"].code_version
    tables = {name: node.metadata.get("dagster/table_name") for name, node in nodes.items()}
    assert tables["contacts"] == "warehouse.main.contacts"
    assert tables["imported_clicks"] == "warehouse.imports.records"
    assert tables["marts_people"] == "warehouse.marts.people"
    personal = {name for name, node in nodes.items() if node.tags.get("trackly/personal_data") == "yes"}
    of_people = {f"{kind}_{name}" for kind in ("history", "imported") for name in PUSHED}
    assert personal == {"contacts", "revenue"} | of_people
    references = nodes["contacts"].metadata["dagster/code_references"].code_references
    assert [Path(one.file_path).relative_to(Path(__file__).parents[2]).as_posix() for one in references] == [
        "assets/graph/pulled.py",
        "schemas/contacts.py",
    ]

    links = {
        name: node.metadata["dagster/code_references"].code_references
        for name, node in nodes.items()
        if node.group_name != "sources"
    }
    assert all(Path(one.file_path).is_file() for found in links.values() for one in found)
    assert [Path(one.file_path).name for one in links["marts_people"]] == ["people.sql"]
    assert [Path(one.file_path).name for one in links["creative_links"]] == ["creatives.py"]

    def promised(found: dict[str, Any]) -> set[str]:
        return {name for name, node in found.items() if node.freshness_policy_or_from_metadata}

    assert promised(nodes) == {*PULLED, "warehouse", "webhook_events"}
    monkeypatch.setenv("TRACKLY_SCHEDULES", "on")
    scheduled = build_defs().resolve_asset_graph()
    found = promised({key.to_user_string(): scheduled.get(key) for key in scheduled.get_all_asset_keys()})
    assert found >= {*PULLED, "imported_sends", "reconciliation", "report"}
    assert not {name for name in found if name.startswith("marts_")}, "nothing materializes a view"
    assert "imported_months" not in found, "a backfill is done once"


def test_runs_that_write_the_same_wait_for_each_other() -> None:
    """What is pulled has one pool, what is pushed another: Dagster's queue lets one run of each at a time through."""
    graph = build_defs().resolve_asset_graph()
    pools = {key.to_user_string(): graph.get(key).pools for key in graph.get_all_asset_keys()}
    pushed = {f"{kind}_{name}" for kind in ("history", "imported") for name in PUSHED}
    assert {name for name, found in pools.items() if found == {"pull"}} == set(PULLED)
    assert {name for name, found in pools.items() if found == {"push"}} == pushed | {
        "imported_months",
        "reconciliation",
    }
    assert {name for name, found in pools.items() if found == {"warehouse"}} == {
        "warehouse",
        "webhook_events",
    }


def test_jobs_run_in_process_and_the_schedule_is_off() -> None:
    """The jobs name the in-process executor, and nothing runs by itself until it is turned on."""
    defs = build_defs()
    for name in ("pull", "push", "sync"):
        assert defs.resolve_job_def(name).executor_def.name == "in_process"
    schedule = defs.resolve_schedule_def("hourly_pull")
    assert (schedule.cron_schedule, schedule.default_status) == (
        "0 * * * *",
        dg.DefaultScheduleStatus.STOPPED,
    )


@pytest.mark.usefixtures("pulled")
def test_events_are_published_and_their_silence_shows(run: Run, settings: Settings) -> None:
    """Where a receiver ran, the pull job tells how fresh its events are; one that stopped long ago is a warning."""
    arrive(settings, delivery(1), b"junk")
    with open_store(settings) as store:
        store.beat(serving=True)
        with store._begin() as connection:
            connection.execute(STATE.update().where(STATE.c.name == "beat_at").values(number=1))
    result = run("pull", ["webhook_events"])
    found = metadata_of(result, "webhook_events")
    assert (found["bodies"], found["refused"], found["serving"]) == (2, 0, True)
    assert checks_of(result)["webhook_events:events_arrive"] is False
    assert query(settings.warehouse, "SELECT count(*) FROM webhook_events") == [(2,)]


def test_push_without_history_says_what_it_expects(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The push job fails with the remedy, not with a stack, and exit code 2 for the command line."""
    result = run("push")
    assert not result.success
    failures = [
        event.step_failure_data.user_failure_data
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data
    ]
    assert failures
    assert "TRACKLY_HISTORY_DIR" in (failures[0].description or "")
    assert failures[0].metadata["exit_code"].value == 2
    monkeypatch.setenv("TRACKLY_API_KEY", "bad")
    result = run("push", ["imported_sends"])
    kinds = [event.event_type for event in result.all_events]
    assert (result.success, dg.DagsterEventType.HOOK_ERRORED in kinds) == (False, False), (
        "one error is enough"
    )


def test_a_refused_key_shows_its_remedy(run: Run, server: Server, settings: Settings) -> None:
    """An error of ours reaches Dagster as one line with what to do, and nothing is published."""
    server.faults.active.append(parse_fault("revoke"))
    result = run("pull")
    assert not result.success
    told = [
        event.step_failure_data.user_failure_data.description
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data
    ]
    assert any("TRACKLY_API_KEY" in (text or "") for text in told)
    assert not settings.warehouse.exists()


@pytest.mark.usefixtures("run")
def test_dataset_checks_can_fail(settings: Settings, account: Account) -> None:
    """Quarantined rows and values that are not documented show as warnings on their dataset."""
    account.contacts()[0]["send_count"] = "many"
    account.contacts()[1]["line_type"] = "SATELLITE"
    for name in ("contacts", "lists"):
        snapshot_dataset(settings, name, "r1")

    def failed(name: str) -> dict[str, str]:
        checks = dataset_checks(DATASETS[name], PULLED[name])
        found: Any = checks(dg.build_asset_check_context(), Trackly())
        return {one.check_name: one.severity.value for one in found if not one.passed}

    assert failed("contacts") == {"quarantine": "WARN", "known_values": "WARN"}
    assert failed("lists") == {}


@pytest.mark.usefixtures("run", "pulled")
def test_the_contract_check_can_fail(settings: Settings) -> None:
    """Rows in a snapshot that break the pandera model fail the contract check, with rule and count."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - only here

    from pipelines.snapshots import latest  # noqa: PLC0415 - only here

    snapshot = latest(settings.parquet_dir, "offers")
    assert snapshot is not None
    table = pq.read_table(snapshot.data)
    nameless = table.set_column(0, "id", [[None] * table.num_rows])
    pq.write_table(
        nameless.cast(table.schema.set(0, table.schema.field(0).with_nullable(True))), snapshot.data
    )
    trackly = Trackly()
    (result, *_) = dataset_checks(DATASETS["offers"], PULLED["offers"])(
        dg.build_asset_check_context(), trackly
    )
    assert (result.check_name, result.passed) == ("contract", False)
    assert result.metadata["id: must not be null"].value == 12


WANTED: list[dict[str, Any]] = [
    {"base_url": "http://127.0.0.1:9/api/v2"},
    {"data_dir": "/tmp/elsewhere"},  # noqa: S108 - it is refused
    {"history_dir": "/tmp/elsewhere"},  # noqa: S108 - the same
    {"ledger_url": "sqlite:////tmp/elsewhere.db"},
    {"base_url": {"env": "TRACKLY_API_KEY"}},
    {"given": {}},
]


@pytest.mark.parametrize("job", ["pull", "push", "sync", "backfill", "__ASSET_JOB"])
def test_a_run_cannot_say_where_the_key_goes_or_where_data_lies(job: str) -> None:
    """Run config that names a host or a folder is refused, for every job; a run starts with the settings alone."""
    definition = build_defs().resolve_implicit_global_asset_job_def() if job == "__ASSET_JOB" else (
        build_defs().resolve_job_def(job)
    )  # fmt: skip
    for wanted in WANTED:
        with pytest.raises(dg.DagsterInvalidConfigError):
            dg.validate_run_config(definition, {"resources": {"trackly": {"config": wanted}}})


@pytest.mark.usefixtures("run", "pulled")
def test_the_revenue_check_can_fail(settings: Settings) -> None:
    """Money that does not add up fails the check on the warehouse."""
    from assets.checks import revenue_adds_up  # noqa: PLC0415 - only here
    from pipelines.warehouse.swap import replacing  # noqa: PLC0415 - only here

    trackly = Trackly()
    assert revenue_adds_up(trackly).passed
    with replacing(settings.warehouse) as connection:
        connection.execute("UPDATE revenue SET revenue = revenue + 1 WHERE revenue > 0")
    assert not revenue_adds_up(trackly).passed


def test_every_column_is_described_in_dagster() -> None:
    """Asset pages show each column with its meaning."""
    schema = DATASETS["contacts"].metadata_by_key[dg.AssetKey("contacts")]["dagster/column_schema"]
    assert {column.name for column in schema.columns} >= {
        "phone_number",
        "revenue_total",
        "extra",
        "synced_at",
    }
    assert all(column.description for column in schema.columns)
