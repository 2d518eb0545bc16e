"""A deployment: runs wait for each other, and what kill -9 left behind is put right at the next start."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from processes import environment, of_session
from serving import ROOT, serving, wait_for

from assets.definitions import build_defs
from assets.ui.serve import _logging, settle_stale_runs
from pipelines.cli.commands.ui import _only_one, dagster_home
from pipelines.errors import BusyError
from pipelines.sandbox import Account, Server, parse_fault
from pipelines.settings import Settings, load_settings


def test_a_deployment_takes_up_after_kill_9_and_queues_its_runs(
    account: Account, server: Server, settings: Settings
) -> None:
    """A run that was killed is marked and blocks nobody; two runs wait for each other. SIGTERM ends all of it."""
    server.faults.active.append(parse_fault("latency,seconds=3,times=1000"))
    home = {"DAGSTER_HOME": str(dagster_home(settings.data_dir))}
    command = [sys.executable, "-m", "assets.runs.in_process", "pull"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(settings) | home, stdout=subprocess.DEVNULL, start_new_session=True
    ) as killed:
        wait_for(lambda: len(account.log) > 0)
        for process in of_session(killed.pid):
            os.kill(process, signal.SIGKILL)
    server.faults.active.clear()
    with serving(settings) as ui:
        leader = ui.process.pid
        assert ui.states() == ["FAILURE"]
        ui.launch("pull", "lists")
        ui.launch("pull", "lists")
        wait_for(lambda: ui.states() == ["FAILURE", "SUCCESS", "SUCCESS"])
        _, first, second = ui.runs()
        assert first["endTime"] <= second["startTime"], "one at a time"
    wait_for(lambda: not of_session(leader))


def test_runs_whose_process_is_gone_are_settled_and_others_left() -> None:
    """A dead process, or none, means failed; a living one goes on; what is queued stays queued."""
    job = build_defs().resolve_job_def("pull")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with dg.DagsterInstance.ephemeral() as instance:

        def run_in(pid: int | None, status: dg.DagsterRunStatus) -> str:
            run = instance.create_run_for_job(job, status=status)
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
