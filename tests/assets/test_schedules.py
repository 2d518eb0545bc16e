"""What runs by itself: schedules that do not pile up, and history that is pushed once, when it is complete."""

import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_records import begin_run

from assets.definitions import build_defs
from assets.inspection.new_files import from_cursor, look, started, to_cursor
from assets.resources import GivenTrackly
from pipelines.settings import Settings

ON, OFF = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED


def statuses() -> set[bool]:
    defs = build_defs()
    return {schedule.default_status is ON for schedule in defs.schedules or ()} | {
        sensor.default_status is dg.DefaultSensorStatus.RUNNING for sensor in defs.sensors or ()
    }


def test_nothing_runs_by_itself_unless_schedules_are_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """All schedules and sensors are off by default, and on by one setting."""
    assert statuses() == {False}
    monkeypatch.setenv("TRACKLY_SCHEDULES", "on")
    assert statuses() == {True}


def test_a_schedule_leaves_out_what_is_not_finished() -> None:
    """A tick starts its job, and does not while a run of it is under way."""
    defs = build_defs()
    with dg.instance_for_test() as instance, dg.build_schedule_context(instance) as context:

        def tick(name: str) -> Any:
            return defs.resolve_schedule_def(name).evaluate_tick(context)

        for name in ("hourly_pull", "daily_sync"):
            assert len(tick(name).run_requests or ()) == 1
            job = defs.resolve_schedule_def(name).job_name
            run = begin_run(instance, job, "lists", dg.DagsterRunStatus.STARTED)
            assert not tick(name).run_requests
            assert run.run_id in (tick(name).skip_message or "")
            instance.report_run_failed(run)
            assert tick(name).run_requests


def test_a_file_is_complete_when_it_has_stood_still(tmp_path: Path) -> None:
    """Growing files hold back; so does a first look, however old the file; each state is taken once."""
    file, other = tmp_path / "sends.csv", tmp_path / "clicks.csv"
    file.write_text("id\n")
    os.utime(file, (0, 0))  # copied with its old time
    first = look([file], {}, now=1_000, quiet=0)
    assert (first.ready, first.growing) == (False, [file])
    file.write_text("id\na\n")
    grown = look([file], from_cursor(to_cursor(first.seen)), now=1_100, quiet=60)
    assert grown.growing == [file]
    early = look([file], from_cursor(to_cursor(grown.seen)), now=1_159, quiet=60)
    assert early.growing == [file]
    still = look([file], from_cursor(to_cursor(early.seen)), now=1_160, quiet=60)
    assert still.ready
    taken = from_cursor(to_cursor(started(still)))
    assert not look([file], taken, now=9_000, quiet=60).new, (
        "it is not started again, also if its push failed"
    )
    other.write_text("message_id\n")
    both = look([file, other], taken, now=9_000, quiet=60)
    assert (list(both.new), both.ready) == ([other], False)
    assert look([file, other], both.seen, now=9_060, quiet=60).ready
    file.write_text("id\na\nb\n")
    again = look([file, other], both.seen, now=9_060, quiet=60)
    assert (list(again.growing), again.ready) == ([file], False), "what is pushed is everything, or nothing"


def test_a_file_that_goes_away_is_no_concern(tmp_path: Path) -> None:
    """A file removed between two looks, or within one, and a cursor set by hand, do no harm."""
    gone = look([tmp_path / "sends.csv"], {}, now=1, quiet=0)
    assert (gone.seen, gone.new) == ({}, [])
    assert from_cursor("what is this") == {}
    assert from_cursor(None) == {}


def test_the_sensor_starts_one_push_per_arrival(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing without files or with one half there; one run when all stand still; none again while it is queued."""
    (sensor,) = build_defs().sensors or ()
    given = settings.model_copy(update={"history_dir": tmp_path / "in", "history_quiet_seconds": 60.0})
    clock = [1_000.0]
    monkeypatch.setattr("assets.sensors.time.time", lambda: clock[0])

    with dg.DagsterInstance.ephemeral() as instance:
        cursor: str | None = None

        def tick(seconds: float) -> tuple[int, str]:
            nonlocal cursor
            clock[0] += seconds
            context = dg.build_sensor_context(
                instance, cursor=cursor, resources={"trackly": GivenTrackly(given)}, sensor_name="new_history"
            )
            data = sensor.evaluate_tick(context)
            cursor = data.cursor
            return len(data.run_requests or ()), data.skip_message or ""

        assert tick(0) == (0, f"There is no history at {given.history}.")
        given.history.mkdir()
        (given.history / "sends.csv.part").write_text("id\n")
        assert tick(30)[0] == 0
        (given.history / "sends.csv.part").rename(given.history / "sends.csv")
        assert "sends.csv" in tick(30)[1]
        assert tick(30)[0] == 0
        busy = begin_run(instance, "push", "history_sends", dg.DagsterRunStatus.STARTED)
        assert busy.run_id in tick(30)[1]
        instance.report_run_failed(busy)
        assert tick(30)[0] == 1
        assert tick(30) == (0, "No history file is new.")
        (given.history / "sends.csv").write_text("id\nx\n")
        assert [tick(30)[0] for _ in range(4)] == [0, 0, 1, 0]


def test_what_a_query_reads_is_history_too(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sensor sees an export grow that a .sql file reads, waits until it stands still, and starts a push."""
    (sensor,) = build_defs().sensors or ()
    history = tmp_path / "in"
    history.mkdir()
    changes = {"history_dir": history, "history_quiet_seconds": 60.0}
    clock = [1_000.0]
    monkeypatch.setattr("assets.sensors.time.time", lambda: clock[0])
    (history / "export.csv").write_text("id\na\n")
    (history / "sends.sql").write_text("SELECT id FROM read_csv('export*.csv', all_varchar = true);")

    with dg.DagsterInstance.ephemeral() as instance:
        cursor: str | None = None

        def tick(seconds: float, *, allowed: bool = True) -> tuple[int, str]:
            nonlocal cursor
            clock[0] += seconds
            given = settings.model_copy(update={**changes, "sql_sources": allowed})
            context = dg.build_sensor_context(
                instance, cursor=cursor, resources={"trackly": GivenTrackly(given)}, sensor_name="new_history"
            )
            data = sensor.evaluate_tick(context)
            cursor = data.cursor
            return len(data.run_requests or ()), data.skip_message or ""

        started, why = tick(0, allowed=False)
        assert (started, "sends.sql" in why, "TRACKLY_SQL_SOURCES=on" in why) == (0, True, True)
        assert [tick(30)[0] for _ in range(4)] == [0, 0, 1, 0]
        (history / "export.csv").write_text("id\na\nb\n")
        assert "export.csv" in tick(30)[1]
        assert [tick(30)[0] for _ in range(3)] == [0, 1, 0]
        (history / "export-2.csv").write_text("id\nc\n")
        assert [tick(30)[0] for _ in range(4)] == [0, 0, 1, 0]
        (history / "notes.csv").write_text("not read by it")
        assert tick(30) == (0, "No history file is new.")


@pytest.mark.parametrize(
    ("tag", "allowed"),
    [
        ("dagster/schedule_name", False),
        ("dagster/sensor_name", False),
        ("dagster/sensor_name", True),
        (None, False),
    ],
)
def test_queries_run_unattended_only_where_that_is_set(
    settings: Settings, tag: str | None, allowed: bool
) -> None:
    """A run of a schedule or a sensor names the .sql file and stops before it sends; a person's run takes it."""
    settings.history.mkdir(parents=True)
    (settings.history / "sends.sql").write_text(
        "SELECT 'a' AS id, '+15551234567' AS to_number, '2024-05-01T10:00:00Z' AS timestamp, 'x' AS message"
    )
    given = settings.model_copy(update={"sql_sources": allowed})
    job = build_defs(resource_overrides={"trackly": GivenTrackly(given)}).resolve_job_def("push")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            tags={tag: "x"} if tag else {},
            asset_selection=[dg.AssetKey("history_sends")],
            raise_on_error=False,
        )
    assert result.success is (allowed or tag is None)
    if not result.success:
        (failed,) = (event for event in result.all_events if event.is_step_failure)
        told = str(failed.step_failure_data)
        assert "sends.sql" in told
        assert "TRACKLY_SQL_SOURCES=on" in told
