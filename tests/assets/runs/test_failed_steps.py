"""What Dagster has as failed or stopped is so in our records as well, with or without an activity of the engine."""

from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pytest

from assets.graph.pushed import history_sends
from assets.resources import Trackly
from assets.runs.failed_steps import ENDED_WITH_DAGSTER, record_failed_steps
from pipelines.alerts.after_run import conditions
from pipelines.push.ledger.lock import push_lock
from pipelines.run_records.summary import Run, latest_runs
from pipelines.runs.recording import recorded
from pipelines.sandbox import API_KEY
from pipelines.settings import Settings, load_settings
from pipelines.storage import private_folder


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings out of the environment, as a deployment has them; no account is served."""
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRACKLY_API_KEY", API_KEY)
    settings = load_settings()
    private_folder(settings.history)
    return settings


def made(*assets: dg.AssetsDefinition | dg.AssetChecksDefinition) -> dg.ExecuteInProcessResult:
    return dg.materialize(assets, resources={"trackly": Trackly()}, raise_on_error=False)


def last(settings: Settings) -> Run:
    return latest_runs(settings.data_dir, 1)[0][0]


def alerting(settings: Settings) -> dict[str, str]:
    return {c.name: c.text for c in conditions(settings) if c.name.startswith("failed:") and c.firing}


def test_a_step_that_was_refused_fails_its_run(data: Settings) -> None:
    """By the lock, once, as the engine has it on record; and for want of files, of which the engine keeps none."""
    for step, error in ((refused, "Another push is under way."), (made_of_nothing, "There is no history")):
        result = step(data)
        run = last(data)
        assert (result.success, run.run, run.status) == (False, result.run_id, "failed")
        assert [one.activity for one in run.activities] == ["take in sends"]
        assert run.errors[0].startswith(error)
        assert [*alerting(data)] == ["failed:take in sends"]


def refused(data: Settings) -> dg.ExecuteInProcessResult:
    file = data.history / "sends.ndjson"
    file.write_text("{}\n", encoding="utf-8")
    with push_lock(data.data_dir):
        result = made(history_sends)
    file.unlink()
    return result


def made_of_nothing(_: Settings) -> dg.ExecuteInProcessResult:
    return made(history_sends)


def test_steps_that_the_engine_knows_nothing_of_are_on_record_too(data: Settings) -> None:
    """A check that blocks, and an error that nobody foresaw, without its text; they recover with their steps."""
    wrong = [True]

    @dg.asset(name="lists", required_resource_keys={"trackly"})
    def lists() -> None:
        """Well."""

    @dg.asset_check(asset=lists, name="checks", blocking=True, required_resource_keys={"trackly"})
    def contract() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=not wrong)

    @dg.asset(name="webhook_events", required_resource_keys={"trackly"})
    def events() -> None:
        if wrong:
            raise ValueError("+15550100001")

    @dg.asset(name="another_teams", required_resource_keys={"trackly"})
    def other() -> None:
        if wrong:
            raise ValueError("not ours")

    failed = made(lists, contract, events, other)
    run = last(data)
    assert (failed.success, run.run, run.status) == (False, failed.run_id, "failed")
    assert set(alerting(data)) == {"failed:check lists", "failed:publish webhook_events"}
    assert alerting(data)["failed:publish webhook_events"] == "publish webhook_events failed: ValueError"
    wrong.clear()
    assert made(lists, contract, events, other).success
    assert (last(data).status, alerting(data)) == ("succeeded", {})
    assert made(lists, contract, events, other).success
    assert len(latest_runs(data.data_dir, 9)[0]) == 2, (
        "what goes well is on record only where it did not before"
    )


@pytest.mark.parametrize("by_person", [True, False])
@pytest.mark.parametrize("is_known", [True, False], ids=["an activity", "no activity"])
def test_an_interrupted_run_is_what_dagster_calls_it(data: Settings, by_person: bool, is_known: bool) -> None:
    """Stopped where a person stopped it in Dagster; failed where Dagster ended under it, and that alerts."""

    @dg.asset(name="lists", required_resource_keys={"trackly"})
    def lists(context: dg.AssetExecutionContext) -> None:
        with recorded(data.data_dir, context.run.run_id, "pull lists") if is_known else nullcontext():
            if by_person:
                context.instance.report_run_canceling(context.run)
            raise KeyboardInterrupt

    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises((KeyboardInterrupt, dg.DagsterExecutionInterruptedError)):
            dg.materialize([lists], resources={"trackly": Trackly()}, instance=instance)
        (run,) = instance.get_runs()
    (activity,) = last(data).activities
    found = activity.activity, activity.status, activity.error
    if by_person:
        assert (run.status, found) == (dg.DagsterRunStatus.CANCELED, ("pull lists", "stopped", None))
    else:
        assert (run.status, found) == (
            dg.DagsterRunStatus.FAILURE,
            ("pull lists", "failed", ENDED_WITH_DAGSTER),
        )
    assert [*alerting(data)] == ([] if by_person else ["failed:pull lists"])


def test_a_run_that_is_stopped_between_two_steps_is_stopped(data: Settings) -> None:
    """No activity is stopped by it, and all that are on record went well."""

    @dg.asset(name="lists", required_resource_keys={"trackly"})
    def lists() -> None:
        """Well."""

    job = dg.define_asset_job("pull").resolve(
        asset_graph=dg.Definitions([lists], resources={"trackly": Trackly()}).resolve_asset_graph()
    )
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(job)
        record_failed_steps(instance, run, data)
        assert latest_runs(data.data_dir, 1) == ([], False)
        instance.report_run_canceling(run)
        record_failed_steps(instance, run, data)
    assert [(one.activity, one.status) for one in last(data).activities] == [("pull lists", "stopped")]
    assert alerting(data) == {}
