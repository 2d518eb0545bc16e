"""Records of runs: what is under way, what was killed, and that neither is lost."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipelines.errors import StorageError
from pipelines.process.concurrent import run_all
from pipelines.run_records.failures import failure_recorded
from pipelines.run_records.summary import latest_runs
from pipelines.runs.activity_state import unended
from pipelines.runs.record_files import not_on_disk
from pipelines.runs.recording import newest, recorded

_ENDLESS = """
import sys, time
from pathlib import Path
from pipelines.process import heartbeat
from pipelines.runs.recording import recorded
heartbeat._EVERY = 0.05
with recorded(Path(sys.argv[1]), "run-1", "pull lists"):
    pass
with recorded(Path(sys.argv[1]), "run-1", "pull contacts"):
    print("begun", flush=True)
    time.sleep(60)
"""


def test_what_is_under_way_and_what_was_killed_is_shown(tmp_path: Path) -> None:
    """Running as long as the process lives, killed once it is gone; also when the same has begun again."""

    def output() -> list[tuple[str, str, str]]:
        return [(run.run, run.status, run.what) for run in latest_runs(tmp_path, 9)[0]]

    path = ":".join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(tmp_path)], stdout=subprocess.PIPE, env={"PYTHONPATH": path}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert [(r.activity, r.status) for r in unended(tmp_path)] == [("pull contacts", "running")]
        assert output() == [("run-1", "running", "pull lists contacts")]
        (mark,) = (tmp_path / "runs").glob("*.begun")
        begun = mark.stat().st_mtime_ns
        while mark.stat().st_mtime_ns == begun:  # a sign of life comes
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    (first,) = newest(tmp_path)
    seen = datetime.fromisoformat(first.started_at) + timedelta(seconds=8.9)
    os.utime(mark, (0, seen.timestamp()))
    assert output() == [("run-1", "killed", "pull lists contacts")]
    assert [(r.activity, r.status) for r in newest(tmp_path)] == [("pull lists", "succeeded")]
    with recorded(tmp_path, "run-2", "pull contacts"):
        assert output() == [("run-2", "running", "pull contacts"), ("run-1", "killed", "pull lists contacts")]
    with suppress(KeyboardInterrupt), recorded(tmp_path, "run-3", "pull contacts"):
        raise KeyboardInterrupt
    assert [run[:2] for run in output()] == [
        ("run-3", "stopped"),
        ("run-2", "succeeded"),
        ("run-1", "killed"),
    ]
    assert unended(tmp_path) == []
    killed = latest_runs(tmp_path, 9)[0][2]
    assert "killed" in killed.errors[0]
    assert not killed.is_counted, "what it moved is unknown, and not nothing"
    assert (killed.took, round(killed.seconds)) == ("8.9 s + ?", 9), "until its last sign of life"
    assert (killed.activities[1].finished_at or "")[:19] == seen.isoformat()[:19]
    path = next(path for path in (tmp_path / "runs").glob("*.json") if '"killed"' in path.read_text())
    path.write_text(path.read_text().replace('"killed"', '"stopped"'))
    assert latest_runs(tmp_path, 9)[0][2].status == "killed", "as an earlier version wrote it"


def test_a_folder_that_takes_no_marks_stops_nothing(tmp_path: Path) -> None:
    """What is under way cannot be shown then; the work is done, and that its record cannot be kept is an error."""
    (tmp_path / "runs").write_text("in the way")
    done = False
    with pytest.raises(Exception, match="runs"), recorded(tmp_path, "run", "pull lists"):
        done = True
    assert done
    assert unended(tmp_path) == []


@pytest.mark.parametrize("room", ["soon", "late", "never", "there"])
def test_a_run_that_an_error_ended_is_never_on_record_as_stopped(tmp_path: Path, room: str) -> None:
    """What the first failure stopped has no room on the disk before that failure has; nor has an error beside all."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def disk(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    async def failing() -> None:
        await asyncio.sleep(0)
        if room == "there":
            raise StorageError("No room.")
        with recorded(tmp_path, "run", "pull lists"):
            disk(0)
            raise StorageError("No room.")

    async def stopped(name: str) -> None:
        with recorded(tmp_path, "run", f"pull {name}"):
            try:
                await asyncio.sleep(60)
            finally:
                if room == "soon":
                    disk(before[0])

    activities = ["pull lists", "pull contacts", "pull offers"]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / ".room-for-records").mkdir()  # nothing is reserved
    try:
        with suppress(StorageError), failure_recorded(tmp_path, "run", activities):
            try:
                asyncio.run(run_all([stopped("contacts"), stopped("offers"), failing()]))
            finally:
                if room == "late":
                    disk(before[0])
    finally:
        disk(before[0])
    seen = [(run.status, run.errors) for run in latest_runs(tmp_path, 9)[0]]
    assert seen == ([] if room == "never" else [("failed", ["No room."])])
    assert {record.status for record in not_on_disk(tmp_path)} == (
        {"failed", "stopped"} if room == "never" else set()
    )
