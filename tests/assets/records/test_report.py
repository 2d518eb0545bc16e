"""Dagster's records have what the command line did as runs, and the months that were sent."""

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from datetime import datetime

import dagster as dg
import msgspec
import pytest
from dagster._core.execution.stats import StepEventStatus
from dagster._core.storage.dagster_run import DagsterRun
from dagster_records import READ, Records, write_sends
from receiving import arrive, delivery

from assets.definitions import build_defs
from assets.graph.analysis import VIEWS
from assets.inspection.lookups import view_rows
from assets.jobs import JOBS
from assets.records import command_line
from assets.records.command_line import job_of
from assets.records.events import in_run, report_months
from assets.records.report import records_of, report_events, report_pending
from assets.ui.serve import settle_stale_runs
from pipelines.cli.commands.ui import dagster_home
from pipelines.errors import ServiceError
from pipelines.pull.rollback import rollback
from pipelines.pull.run import pull
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.ledger.lock import push_lock
from pipelines.push.run import push
from pipelines.run_records.unreported import Notice, keeps_records, pending
from pipelines.runs.recording import now, recorded
from pipelines.sandbox import API_KEY, parse_fault, running, seed_account
from pipelines.settings import load_settings
from pipelines.warehouse.webhook_events import publish_events
from schemas.own_tables.sync import RunRecord
from schemas.registry import PUSHED


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    """Records of a data directory on which Dagster has pushed sends of one month."""
    account = seed_account(contacts=200)
    with running(account) as server:
        settings = load_settings(
            api_key=API_KEY, base_url=server.url, data_dir=tmp_path_factory.mktemp("data"), retry_seconds=1
        )
        write_sends(account, settings.history, {"2024-03": 8})
        assert not keeps_records(settings.data_dir)
        home = dagster_home(settings.data_dir)
        assert keeps_records(settings.data_dir)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            pull(settings, READ, "before")
            made = Records(instance, settings, account, server)
            taken_in = (f"history_{name}" for name in PUSHED)
            assert made.run(*taken_in, "imported_sends", "reconciliation", job="push").success
            yield made


def test_a_push_of_dagsters_reports_which_months_it_has_sent(records: Records) -> None:
    made = records.made("imported_months")[-1]
    assert (made.partition, made.metadata["month_accepted"].value) == ("2024-03", 8)
    assert records.checks("imported_months", "complete")[-1] == "SUCCEEDED"


def test_views_are_on_record_when_what_they_read_is_published(records: Records) -> None:
    """Once for a push, with their rows; others are not its. They are in the records of all runs and of this one."""
    (run,) = records.instance.get_runs()
    (made,) = records.instance.fetch_materializations(dg.AssetKey("marts_imported_messages"), limit=9).records
    assert made.run_id == run.run_id
    assert records.figure("marts_imported_messages", "dagster/row_count") == 8
    assert records.made("marts_list_health") == []
    noted = records.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    keys = [one.dagster_event.asset_key for one in noted if one.dagster_event]
    assert keys.count(dg.AssetKey("marts_funnel")) == 1
    assert set(view_rows(records.settings, ["marts.list_health", "no_view"], most=1)) == {"marts.list_health"}
    assert view_rows(records.settings, ["marts.list_health"], most=1) == {"marts.list_health": None}


def test_a_replay_of_a_dataset_makes_a_snapshot_and_the_warehouse(records: Records) -> None:
    record = RunRecord(run="before", activity="replay lists", started_at=now(), finished_at=now())
    made = command_line._replayed(records.settings, record, "lists")
    assert [asset for asset, _ in made] == ["lists", "warehouse"]


def assert_is_a_run_under_its_job(records: Records) -> None:
    """The timeline, the job and the assets' pages show it; nothing retries it, and no process is looked for."""
    record = records.instance.get_run_record_by_id("by-hand")
    assert record
    run = record.dagster_run
    done = records_of(records.settings, Notice("by-hand", "2020-01-01T00:00:00+00:00"))
    first = min(datetime.fromisoformat(one.started_at) for one in done).timestamp()
    last = max(datetime.fromisoformat(str(one.finished_at)) for one in done).timestamp()
    assert (record.start_time, record.end_time) == (first, last)
    assert record.create_timestamp.timestamp() == pytest.approx(first)
    assert (run.job_name, run.status.value) == ("push", "SUCCESS")
    assert run.remote_job_origin
    assert run.remote_job_origin.repository_origin.get_label() == "__repository__@assets.definitions"
    assert {"trackly/run": "by-hand", "dagster/max_retries": "0"}.items() <= run.tags.items()
    assert run.asset_selection
    assert dg.AssetKey("imported_sends") in run.asset_selection
    assert run.execution_plan_snapshot_id
    plan = records.instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    steps = {step.step_key: step for step in records.instance.get_run_step_stats("by-hand")}
    assert set(steps) == {step.key for step in plan.steps if step.key in steps}
    assert {"contacts", "warehouse", "imported_sends", "reconciliation"} <= set(steps)
    assert {str(step.status and step.status.value) for step in steps.values()} == {"SUCCESS"}
    made = records.instance.fetch_materializations(dg.AssetKey("imported_months"), limit=1).records
    assert made[0].run_id == "by-hand"
    assert records.instance.get_latest_materialization_event(dg.AssetKey("warehouse")).run_id == "by-hand"  # type: ignore[union-attr]


def assert_is_the_last_of_each_activity(records: Records) -> None:
    """A notice that names no run is of the last of each activity that went well, oldest first."""
    found = records_of(records.settings, Notice("", now()))
    activities = [record.activity for record in found]
    assert len(set(activities)) == len(activities)
    assert set(activities) >= {"pull contacts", "publish", "take in sends", "push sends", "reconcile"}
    assert activities.index("pull contacts") < activities.index("push sends") < activities.index("reconcile")
    assert {record.run for record in found if record.activity in ("pull contacts", "reconcile")} == {
        "by-hand"
    }


def test_what_the_command_line_did_is_there_once(records: Records) -> None:
    """Pulled rows, outcomes, checks, months and the reconciliation are as the account has them; once each."""
    settings, account = records.settings, records.account
    contact = account.contacts()[-1]
    account.remove_contact((contact["phone_number"], contact["list_id"]))
    pull(settings, READ, "by-hand", allow_shrink=True)
    write_sends(account, settings.history, {"2024-03": 8, "2024-05": 5, "1999-01": 1})
    push(settings, ["sends"], run="by-hand")
    reconcile(settings, run="by-hand")
    before = {name: len(records.made(name)) for name in (*READ, "warehouse", "imported_sends")}
    assert records.report("by-hand") == 1
    assert {name: len(records.made(name)) - number for name, number in before.items()} == dict.fromkeys(
        before, 1
    )
    assert records.figure("contacts", "dagster/row_count") == account.contact_count()
    assert records.figure("lists", "dagster/row_count") == len(account.lists)
    assert records.figure("imported_sends", "input_accepted") == len(account.sends) == 13
    assert records.figure("imported_sends", "accepted") == 5
    assert records.figure("history_sends", "dagster/row_count") == 14
    assert records.figure("contacts", "run") == "by-hand"
    assert records.figure("reconciliation", "agrees") is True
    assert records.figure("marts_imported_messages", "dagster/row_count") == 13
    assert records.figure("marts_list_health", "dagster/row_count") == len(account.lists)
    assert {len(records.made(one.key.to_user_string())) for one in VIEWS} == {1, 2}, "one more each"
    assert records.checks("contacts", "consistency")[:1] == ["SUCCEEDED"]
    assert records.checks("imported_sends", "settled")[:1] == ["SUCCEEDED"]
    assert records.checks("reconciliation", "the_books_agree")[:1] == ["SUCCEEDED"]
    assert [made.partition for made in records.made("imported_months")] == ["2024-05", "2024-03"]
    assert records.figure("imported_months", "month_accepted") == 5
    assert pending(settings.data_dir) == []
    report_months(records.instance, settings, in_run(records.instance, "by-hand", "push"))
    assert len(records.made("imported_months")) == 2, "a month that has not changed is not reported again"
    assert_is_a_run_under_its_job(records)
    assert_is_the_last_of_each_activity(records)


def test_what_failed_is_a_failed_run_without_values(records: Records) -> None:
    records.server.faults.active.append(parse_fault("500,path=/lists,times=99"))
    with pytest.raises(ServiceError):
        pull(records.settings, ["lists"], "failing")
    records.server.faults.active.clear()
    before = len(records.made("lists"))
    records.report("failing")
    assert len(records.made("lists")) == before
    run = records.instance.get_run_by_id("failing")
    assert run
    assert (run.job_name, run.status.value) == ("pull", "FAILURE")
    (step,) = records.instance.get_run_step_stats("failing", ["lists"])
    assert step.status is StepEventStatus.FAILURE
    (entry,) = records.instance.all_logs("failing", of_type=dg.DagsterEventType.STEP_FAILURE)
    assert "500" in str(entry.dagster_event and entry.dagster_event.message)


def test_a_run_that_goes_on_is_started_and_one_that_was_killed_has_failed(records: Records) -> None:
    """A killed process leaves a mark, or the next one has made a record of it; a stop by a person is no failure."""
    settings, instance = records.settings, records.instance

    def status(run: str) -> str | None:
        found = instance.get_run_by_id(run)
        return found and found.status.value

    with recorded(settings.data_dir, "long", "pull lists"):
        mark = next((settings.data_dir / "runs").glob("*.begun"))
        killed = mark.with_name(mark.name.replace("lists", "offers"))
        begun = msgspec.json.decode(mark.read_bytes(), type=RunRecord)
        begun.run, begun.activity = "killed", "pull offers"
        killed.write_bytes(msgspec.json.encode(begun))
        report_pending(instance, settings)
        assert (status("long"), status("killed")) == ("STARTED", "FAILURE")
        assert instance.get_run_step_stats("long", ["lists"])[0].status is StepEventStatus.IN_PROGRESS
        logs = len(instance.all_logs("long"))
        report_pending(instance, settings)
        assert len(instance.all_logs("long")) == logs, "nothing is written twice"
        assert settle_stale_runs(instance) == []
    report_pending(instance, settings)
    assert status("long") == "STARTED", "between two activities of a run there is none either"
    records.report("long")
    assert status("long") == "SUCCESS"
    killed.unlink()
    with suppress(KeyboardInterrupt), recorded(settings.data_dir, "stopped", "pull lists"):
        raise KeyboardInterrupt
    records.report("stopped")
    assert status("stopped") == "CANCELED"
    put_on_record = settings.data_dir / "runs" / killed.with_suffix(".json").name
    begun.run, begun.error = "killed earlier", "The process was killed; nothing is half-done."
    put_on_record.write_bytes(msgspec.json.encode(begun))
    report_pending(instance, settings)
    assert status("killed earlier") == "FAILURE"
    instance.delete_run("killed earlier")
    put_on_record.unlink()
    lost = instance.get_run_by_id("long")
    assert lost
    instance.add_run(DagsterRun("pull", "lost", status=dg.DagsterRunStatus.STARTED, tags=lost.tags))
    report_pending(instance, settings)
    assert status("lost") == "FAILURE", "nothing is on record of it any more"


@pytest.mark.parametrize(
    ("activities", "job"),
    [
        (("pull lists", "publish"), "pull"),
        (("measure audiences",), "pull"),
        (("take in sends", "push sends", "reconcile"), "push"),
        (("pull contacts", "push sends"), "push"),
        (("rollback lists", "publish"), "rollback"),
        (("replay webhook_events",), "replay"),
        (("resolve",), "resolve"),
        (("adopt",), "adopt"),
    ],
)
def test_under_which_job_a_run_is(activities: tuple[str, ...], job: str) -> None:
    """What a click on "re-execute" would not do again is under no job that there is."""
    assert job_of([RunRecord(run="r", activity=one, started_at=now()) for one in activities]) == job
    assert (job in {one.name for one in JOBS}) == (job in ("pull", "push"))


def test_a_decision_of_a_person_is_a_run_that_nothing_can_start(records: Records) -> None:
    """A report that is made again leaves one run; a run of Dagster's own is left alone."""
    settings, instance = records.settings, records.instance
    pull(settings, ["lists"], "before the rollback")
    rollback(settings, "lists", "back")
    for _ in range(2):
        records.report("back")
        run = instance.get_run_by_id("back")
        assert run
        assert (run.job_name, run.status.value) == ("rollback", "SUCCESS")
        made = instance.fetch_materializations(dg.AssetKey("warehouse"), limit=99).records
        assert [one.run_id for one in made].count("back") == 1
        assert made[0].run_id == "back"
    (dagsters,) = [one.run_id for one in instance.get_runs() if "trackly/run" not in one.tags]
    logs = len(instance.all_logs(dagsters))
    records.report(dagsters)
    assert len(instance.all_logs(dagsters)) == logs


def test_what_the_receiver_publishes_by_itself_is_reported(records: Records) -> None:
    """Once for each state, without a run: the receiver is none. Where there never was one, nothing is."""
    settings, instance = records.settings, records.instance
    report_events(instance, settings, build_defs())
    assert records.made("webhook_events") == []
    before = len(records.made("marts_opt_outs"))
    for number in (1, 2):
        arrive(settings, delivery(number))
        assert publish_events(settings) == 1
        for _ in range(2):
            report_pending(instance, settings)
        assert len(records.made("webhook_events")) == number
        assert records.figure("webhook_events", "dagster/row_count") == number
        assert records.figure("webhook_events", "bodies") == number
        assert records.figure("marts_opt_outs", "dagster/row_count") == 0
        assert len(records.made("marts_opt_outs")) == number + before
    assert len(records.checks("webhook_events", "events_arrive")) == 2
    with recorded(settings.data_dir, "again", "replay webhook_events"):
        publish_events(settings, again=True)
    records.report("again")
    event = instance.get_latest_materialization_event(dg.AssetKey("webhook_events"))
    assert event
    assert event.run_id == "again"


def test_an_import_that_is_materialized_alone_shows_in_the_months_and_views(records: Records) -> None:
    """Also one that fails: what it has sent by then is published. One that is refused has published nothing."""
    settings = records.settings
    alone = ["history_sends", "imported_sends"]
    write_sends(records.account, settings.history, {"2024-03": 8, "2024-05": 5, "1999-01": 1, "2024-06": 2})
    fault, under_way = ["500,path=/history/sends,times=99"], push_lock(settings.data_dir)
    for faults, other, selected, shown in (
        (fault, nullcontext(), alone, 1),
        ([], under_way, alone[1:], 0),
        ([], nullcontext(), alone, 1),
    ):
        records.server.faults.active[:] = map(parse_fault, faults)
        before = len(records.made("marts_funnel"))
        with other:
            done = records.run(*selected)
        assert done.success is (selected == alone and not faults)
        assert len(records.made("marts_funnel")) == before + shown
        assert (records.made("imported_months")[0].partition == "2024-06") is done.success
        assert not [one for one in done.all_events if one.event_type is dg.DagsterEventType.HOOK_ERRORED]
    assert records.figure("marts_imported_messages", "dagster/row_count") == 15
