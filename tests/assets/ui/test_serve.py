"""Starting Dagster: what kill -9 left behind, its lock, its logs and its settings."""

import errno
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import dagster as dg
import msgspec
import pytest
from dagster._core.events import EngineEventData
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster_records import begin_run
from receiving import arrive, delivery
from serving import wait_for

from assets.definitions import build_defs
from assets.runs.pools import POOLS, limit_pools
from assets.ui.relay import relayed
from assets.ui.serve import _Due, _keep, _logging, _wait_for_end, settle_stale_runs
from pipelines.cli.commands.ui import _only_one, dagster_home
from pipelines.databases.sqlite_or_postgresql import sqlite_file
from pipelines.errors import BusyError
from pipelines.run_records.unreported import Notice, done, leave
from pipelines.runs.recording import recorded
from pipelines.settings import Settings, load_settings


def test_runs_whose_process_is_gone_are_settled_and_others_left() -> None:
    """A dead process, or none, means failed; a living one goes on; what is queued stays queued."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with dg.DagsterInstance.ephemeral() as instance:

        def run_in(pid: int | None, status: dg.DagsterRunStatus) -> str:
            run = begin_run(instance, "pull", "lists", status)
            if pid is not None:
                instance.report_engine_event("Started process", run, EngineEventData.in_process(pid))
            return run.run_id

        dead = run_in(ended.pid, dg.DagsterRunStatus.STARTED)
        unborn = run_in(None, dg.DagsterRunStatus.STARTING)
        alive = run_in(os.getpid(), dg.DagsterRunStatus.STARTED)
        waiting = run_in(None, dg.DagsterRunStatus.NOT_STARTED)
        done = run_in(ended.pid, dg.DagsterRunStatus.SUCCESS)
        assert set(settle_stale_runs(instance)) == {dead, unborn}
        found = {run.run_id: run.status.value for run in instance.get_runs()}
    assert found == {
        dead: "FAILURE",
        unborn: "FAILURE",
        alive: "STARTED",
        waiting: "NOT_STARTED",
        done: "SUCCESS",
    }


def test_a_dagster_whose_ui_was_killed_is_stopped(tmp_path: Path) -> None:
    """Its process still holds the lock; it is asked to stop, and its place is taken once it has."""
    home = dagster_home(tmp_path)
    # as Dagster does, whatever became of SIGINT where the tests were started
    script = "import fcntl, os, signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler);"
    script += "file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_EX);"
    script += "file.write(str(os.getpid())); file.flush(); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(home / ".dagster.lock")], stderr=subprocess.DEVNULL
    ) as orphan:
        wait_for(lambda: (home / ".dagster.lock").exists() and bool((home / ".dagster.lock").read_text()))
        with _only_one(home):
            assert orphan.wait(10) != 0
            with pytest.raises(BusyError), _only_one(home):
                pass
    with _only_one(home):
        pass


def test_dagster_logs_as_the_settings_say() -> None:
    """Warnings only, so that a log is not filled by sensors that found nothing; or as TRACKLY_LOG_LEVEL has it."""
    assert _logging(load_settings()) == ["--log-level", "warning"]
    asked = _logging(load_settings(log_level="info", log_format="json"))
    assert asked == ["--log-level", "info", "--log-format", "json"]


def test_dagsters_settings_are_kept_where_a_person_has_changed_them(tmp_path: Path) -> None:
    """dagster.yaml follows the release as long as it says that it is ours; with that line taken out it stays."""
    config = dagster_home(tmp_path) / "dagster.yaml"
    ours = config.read_text()
    config.write_text(ours.replace("max_concurrent_runs: 4", "max_concurrent_runs: 3"))
    dagster_home(tmp_path)
    assert config.read_text() == ours
    theirs = ours.partition("\n")[2]
    config.write_text(theirs)
    dagster_home(tmp_path)
    assert config.read_text() == theirs


def test_what_has_not_been_reported_is_noticed_while_the_pages_are_served(settings: Settings) -> None:
    """Soon a notice whose process was ended with its command, a long or killed command, and new webhook events."""
    time = [0.0]

    def due(after: float) -> bool:
        time[0] += after
        return clock.now()

    with dg.DagsterInstance.ephemeral() as instance:
        clock = _Due(instance, settings, lambda: time[0])
        assert not due(20)
        leave(settings.data_dir, Notice("run", "2026-01-01T00:00:00+00:00"))
        assert [due(20), due(20), due(20), due(50)] == [False, True, False, True], (
            "not each time that it looks"
        )
        done(settings.data_dir, Notice("run", ""))
        with recorded(settings.data_dir, "long", "pull lists") as record:
            assert not due(90), "it has only begun"
            record.started_at = "2026-01-01T00:00:00+00:00"
            mark = next((settings.data_dir / "runs").glob("*.begun"))
            mark.write_bytes(msgspec.json.encode(record))
            assert due(20)
        assert not due(90)
        arrive(settings, delivery(1))
        assert [due(700), due(700), due(700)] == [True, True, False], "records of the day, then the event"
        assert due(86_400)


def test_pages_end_with_the_first_of_their_programs(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is to be reported is reported by a process of its own until then."""
    home = dagster_home(settings.data_dir)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # no other process of Python gets beyond its first line
    assert _keep([["dagster"]], tmp_path / "code", settings) == 1
    times = iter((0.0, 86_400.0))
    with dg.DagsterInstance.ephemeral() as instance:
        _Due(instance, settings, lambda: next(times)).report()
    wait_for(lambda: "/nowhere" in (home / "reporting.log").read_text())


def test_what_programs_complain_of_after_a_stop_is_not_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    """Those of their own children, too; what they had printed before is, to the last line."""
    grandchild = "read x <&3; echo Aborted!; echo Aborted! >&2"
    program = f"exec 3<&0; echo begun; ({grandchild}) & read y; echo Traceback >&2; wait"
    seen = []

    def begun() -> bool:
        seen.append(capfd.readouterr())
        return any("begun" in one.out for one in seen)

    with relayed() as (output, errors):
        shell = subprocess.Popen(
            ["/bin/sh", "-c", program], stdin=subprocess.PIPE, stdout=output.writing, stderr=errors.writing
        )
        wait_for(begun)
        os.write(errors.writing, b"its last line\n" * 4_000)
    with shell:
        shell.communicate(b"1\n2\n", timeout=60)
    seen.append(capfd.readouterr())
    assert "".join(one.out for one in seen) == "begun\n"
    assert "".join(one.err for one in seen) == "its last line\n" * 4_000


@pytest.mark.parametrize(("more", "by"), [(60, [signal.SIGTERM]), (0, [signal.SIGTERM, signal.SIGKILL])])
def test_a_program_that_does_not_end_is_stopped(more: float, by: list[int]) -> None:
    heeding = partial(signal.signal, signal.SIGTERM, signal.SIG_DFL)  # these tests may ignore it, as with `&`
    with subprocess.Popen(["/bin/sleep", "60"], preexec_fn=heeding) as program:  # noqa: PLW1509 - one call, no lock
        _wait_for_end(program, 0, more)
        assert -program.wait(60) in by


def test_where_no_process_can_be_started_the_pages_go_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a line in the log, and another attempt some minutes later."""

    def refuse(*_: object, **__: object) -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "posix_spawn", refuse)
    dagster_home(settings.data_dir)
    times = iter((0.0, 86_400.0, 86_401.0, 86_402.0, 87_100.0))
    with dg.DagsterInstance.ephemeral() as instance:
        due = _Due(instance, settings, lambda: next(times))
        due.report()
        assert [due.now(), due.now()] == [False, True]
    (line,) = [record.message for record in caplog.records]
    assert "no process can be started (Resource temporarily unavailable)" in line


def test_a_database_that_is_away_does_not_end_the_pages(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    Path(str(sqlite_file(settings.webhook_store))).mkdir(parents=True)
    times = iter((0.0, 700.0, 800.0, 800.0))
    with dg.DagsterInstance.ephemeral() as instance:
        due = _Due(instance, settings, lambda: next(times))
        assert [due.now(), due.now()] == [True, False]
    assert "could not be looked for" in caplog.text


def test_two_runs_of_a_pool_that_wait_together_start_one_after_the_other(tmp_path: Path) -> None:
    """Also where Dagster's records are new; a limit that somebody has set stays."""
    with dg.DagsterInstance.from_config(str(dagster_home(tmp_path))) as instance:
        instance.event_log_storage.set_concurrency_slots("warehouse", 2)
        limit_pools(instance)
        limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
        assert limits == {"pull": 1, "push": 1, "warehouse": 2}
        defs = build_defs()
        pools = {op.pool for job in defs.resolve_all_job_defs() for op in job.all_node_defs if op.pool}
        assert pools == set(POOLS)
        location = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "repository")
        for _ in range(2):
            instance.create_run_for_job(
                defs.resolve_job_def("pull").get_subset(asset_selection={dg.AssetKey("lists")}),
                status=dg.DagsterRunStatus.QUEUED,
                remote_job_origin=RemoteJobOrigin(location, "pull"),
            )
        taken = QueuedRunCoordinatorDaemon(1)._get_runs_to_dequeue(
            instance, instance.get_concurrency_config(), fixed_iteration_time=None
        )
        assert len(taken) == 1
