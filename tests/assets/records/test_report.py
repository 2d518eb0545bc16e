"""Dagster's records tell of what the command line did as of what Dagster did, and of the months that were sent."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from commands import trackly_sync
from dagster._core.definitions.asset_checks.asset_check_spec import AssetCheckKey
from processes import environment
from serving import wait_for

from assets.records.report import records_of, report_months, report_pending
from assets.runs.in_process import run_job
from pipelines.cli.commands.ui import dagster_home
from pipelines.cli.shared.report_to_dagster import hand_over
from pipelines.errors import ServiceError, SettingsError
from pipelines.logs import run_id
from pipelines.pull.run import pull
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.run import push
from pipelines.run_records.unreported import Notice, dagster_folder, keeps_records, leave, pending
from pipelines.runs import now
from pipelines.sandbox import API_KEY, Account, Server, parse_fault, running, seed_account
from pipelines.settings import Settings, load_settings
from schemas.registry import PULLED


class Records:
    """Dagster's records of a data directory, and what they hold by asset."""

    def __init__(
        self, instance: dg.DagsterInstance, settings: Settings, account: Account, server: Server
    ) -> None:
        self.instance, self.settings, self.account, self.server = instance, settings, account, server

    def made(self, asset: str) -> list[dg.AssetMaterialization]:
        """Newest first."""
        found = self.instance.fetch_materializations(dg.AssetKey(asset), limit=100).records
        return [record.asset_materialization for record in found if record.asset_materialization]

    def figure(self, asset: str, name: str) -> Any:
        return self.made(asset)[0].metadata[name].value

    def checks(self, asset: str, check: str) -> list[str]:
        key = AssetCheckKey(dg.AssetKey(asset), check)
        found = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=9)
        return [record.status.value for record in found]

    def report(self, run: str) -> int:
        leave(self.settings.data_dir, Notice(run, "2020-01-01T00:00:00+00:00"))
        return report_pending(self.instance, self.settings)


def write_sends(account: Account, folder: Path, months: dict[str, int]) -> None:
    contacts = [row for row in account.contacts() if row["active"]]
    rows = [
        {
            "id": f"{month}-{number}",
            "to_number": contacts[number]["phone_number"],
            "list_id": contacts[number]["list_id"],
            "timestamp": f"{month}-03T10:00:00Z",
        }
        for month, many in months.items()
        for number in range(many)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sends.ndjson").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    """Records of a data directory on which Dagster has pushed sends of one month."""
    account = seed_account(contacts=1_000)
    with running(account) as server:
        settings = load_settings(
            api_key=API_KEY, base_url=server.url, data_dir=tmp_path_factory.mktemp("data"), retry_seconds=1
        )
        write_sends(account, settings.history, {"2024-03": 8})
        assert not keeps_records(settings.data_dir)
        home = dagster_home(settings.data_dir)
        assert keeps_records(settings.data_dir)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            pull(settings, list(PULLED), "before")
            run_job("push", settings, instance=instance)
            yield Records(instance, settings, account, server)


def test_a_run_of_this_process_is_found_under_its_job(records: Records) -> None:
    """The pages show a run on the timeline, and at its job, by the code location that it names."""
    (run,) = records.instance.get_runs()
    assert run.remote_job_origin
    assert run.remote_job_origin.repository_origin.get_label() == "__repository__@assets.definitions"
    assert (run.job_name, run.remote_job_origin.job_name, run.status.value) == ("push", "push", "SUCCESS")


def test_a_push_of_dagsters_tells_which_months_it_has_sent(records: Records) -> None:
    made = records.made("imported_months")[-1]
    assert (made.partition, made.metadata["month_accepted"].value) == ("2024-03", 8)
    assert records.checks("imported_months", "complete")[-1] == "SUCCEEDED"


def test_what_the_command_line_did_is_there_once(records: Records) -> None:
    """Pulled rows, outcomes, checks, months and the reconciliation are as the account has them; once each."""
    settings, account = records.settings, records.account
    contact = account.contacts()[-1]
    account.remove_contact((contact["phone_number"], contact["list_id"]))
    pull(settings, list(PULLED), "by-hand", allow_shrink=True)
    write_sends(account, settings.history, {"2024-03": 8, "2024-05": 5, "1999-01": 1})
    push(settings, ["sends"], run="by-hand")
    reconcile(settings, run="by-hand")
    before = {name: len(records.made(name)) for name in (*PULLED, "warehouse", "imported_sends")}
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
    assert records.checks("contacts", "consistency")[:1] == ["SUCCEEDED"]
    assert records.checks("imported_sends", "settled")[:1] == ["SUCCEEDED"]
    assert records.checks("reconciliation", "the_books_agree")[:1] == ["SUCCEEDED"]
    assert [made.partition for made in records.made("imported_months")] == ["2024-05", "2024-03"]
    assert records.figure("imported_months", "month_accepted") == 5
    assert pending(settings.data_dir) == []
    report_months(records.instance, settings)
    assert len(records.made("imported_months")) == 2, "a month that stands as it stood is not told again"


def test_what_failed_is_told_too_without_values(records: Records) -> None:
    records.server.faults.active.append(parse_fault("500,path=/lists,times=99"))
    with pytest.raises(ServiceError):
        pull(records.settings, ["lists"], "failing")
    records.server.faults.active.clear()
    before = len(records.made("lists"))
    records.report("failing")
    assert len(records.made("lists")) == before
    (told,) = records.instance.fetch_observations(dg.AssetKey("lists"), limit=9).records
    assert told.asset_observation
    assert told.asset_observation.metadata["run"].value == "failing"
    assert "500" in str(told.asset_observation.metadata["error"].value)


def test_what_ran_before_dagster_is_told_when_it_comes(records: Records) -> None:
    """A notice that names no run is of the last of each activity that went well, oldest first."""
    found = records_of(records.settings, Notice("", now()))
    activities = [record.activity for record in found]
    assert len(set(activities)) == len(activities)
    assert set(activities) >= {"pull contacts", "publish", "take in sends", "push sends", "reconcile"}
    assert activities.index("pull contacts") < activities.index("push sends") < activities.index("reconcile")
    assert {record.run for record in found if record.activity in ("pull lists", "reconcile")} == {"by-hand"}


def test_a_notice_is_left_where_dagster_keeps_records_and_fails_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is started where there are none, or this process has recorded nothing; a full disk is a warning."""
    for name in ("api_key", "base_url", "data_dir"):
        value = getattr(settings, name)
        monkeypatch.setenv(f"TRACKLY_{name.upper()}", API_KEY if name == "api_key" else str(value))
    began = datetime.now(UTC)
    token = run_id.set("here")
    try:
        pull(settings, ["lists"], "here")
        hand_over(began)
        assert not dagster_folder(settings.data_dir).exists()
        (dagster_home(settings.data_dir) / "to_report").write_text("no folder")
        hand_over(began)
    finally:
        run_id.reset(token)
    assert (dagster_folder(settings.data_dir) / "to_report").read_text() == "no folder"
    assert not (dagster_folder(settings.data_dir) / "history").exists()


def test_a_command_has_its_run_reported_and_does_not_wait(
    account: Account, settings: Settings, tmp_path: Path
) -> None:
    home = dagster_home(settings.data_dir)
    done = trackly_sync(("pull", "lists", "--quiet"), environment(settings), tmp_path)
    assert done.returncode == 0, done.stderr

    wait_for(lambda: not pending(settings.data_dir))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("lists"))
    assert event
    assert event.asset_materialization
    assert event.asset_materialization.metadata["dagster/row_count"].value == len(account.lists)


def test_a_notice_that_cannot_be_reported_is_given_up_after_some_attempts(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    dagster_home(settings.data_dir)
    leave(settings.data_dir, Notice("broken", now()))
    (settings.data_dir / "runs").mkdir(parents=True)
    (settings.data_dir / "runs" / "29990101T000000-1-pull-lists.json").write_text("{")
    with dg.DagsterInstance.ephemeral() as instance:
        for left in (1, 1, 0):
            assert report_pending(instance, settings) == 0
            assert len(pending(settings.data_dir)) == left
    assert "could not be reported" in caplog.text


def test_dagsters_records_may_be_on_postgresql(
    database: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TRACKLY_DAGSTER_URL dagster.yaml names the database, and what is reported is there."""
    url = database.replace("postgresql://", "postgresql+psycopg2://")
    home = dagster_home(settings.data_dir, url)
    monkeypatch.setenv("TRACKLY_DAGSTER_URL", url)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("lists"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_latest_materialization_event(dg.AssetKey("lists"))
    assert not (home / "history").exists()
    with pytest.raises(SettingsError, match="TRACKLY_DAGSTER_URL must begin with postgresql\\+psycopg2://"):
        load_settings(dagster_url="mysql://u@h/d")
