"""Commands leave notices for Dagster's records; one that cannot be reported fails none."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from commands import trackly_sync
from processes import environment
from serving import wait_for

from assets.records.report import bring_up_to_date, report_pending
from pipelines.cli.commands.ui import dagster_home
from pipelines.cli.shared.report_to_dagster import hand_over
from pipelines.errors import SettingsError
from pipelines.logs import run_id
from pipelines.pull.run import pull
from pipelines.run_records.unreported import Notice, dagster_folder, leave, pending
from pipelines.runs.recording import now
from pipelines.sandbox import API_KEY, Account
from pipelines.settings import Settings, load_settings


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
        pull(settings, ["lists"], "on postgresql")
        leave(settings.data_dir, Notice("on postgresql", "2020-01-01T00:00:00+00:00"))
        assert report_pending(instance, settings) == 1
    with dg.DagsterInstance.from_config(str(home)) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("lists"))
        view = instance.get_latest_materialization_event(dg.AssetKey("marts_list_health"))
        assert event
        assert view
        assert event.run_id == view.run_id == "on postgresql"
        record = instance.get_run_record_by_id("on postgresql")
        assert record
        assert record.dagster_run.is_success
        assert record.start_time
        assert record.create_timestamp.timestamp() == pytest.approx(record.start_time)
    assert not (home / "history").exists()
    with pytest.raises(SettingsError, match="TRACKLY_DAGSTER_URL must begin with postgresql\\+psycopg2://"):
        load_settings(dagster_url="mysql://u@h/d")


def test_records_that_cannot_be_used_are_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged database, or that of another version: the notice waits, and no command fails."""
    home = dagster_home(settings.data_dir)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    leave(settings.data_dir, Notice("waits", now()))
    (home / "history").mkdir()
    (home / "history" / "runs.db").write_bytes(b"no database" * 1_000)
    assert bring_up_to_date(settings) == 1
    assert "Dagster's records cannot be used" in caplog.text
    assert [notice.run for notice in pending(settings.data_dir)] == ["waits"]
