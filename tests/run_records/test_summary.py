"""Runs out of the records of their activities: whole ones, and `running` until their process or job has ended."""

import json
import os
import signal
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

from assets.resources import Trackly
from assets.runs.started_by import asked
from pipelines.cli.commands.runs import show_runs
from pipelines.run_records.summary import Run, latest_runs
from pipelines.runs.record_files import stamp
from pipelines.runs.recording import newest, recorded
from pipelines.runs.run_state import unended_runs, whole_run
from schemas.own_tables.sync import RunRecord
from schemas.registry import PULLED

_RUNS = (
    ("a", "pull lists"), ("b", "pull contacts"), ("a", "pull contacts"), ("c", "pull offers"), ("a", "publish"),
    ("b", "publish"), ("d", "reconcile"), ("a", "measure audiences"),
)  # fmt: skip
_LATEST = {
    "d": ["reconcile"],
    "c": ["pull offers"],
    "b": ["pull contacts", "publish"],
    "a": ["pull lists", "pull contacts", "publish", "measure audiences"],
}


def _shown(data_dir: Path, limit: int) -> tuple[dict[str, list[str]], bool]:
    runs, more = latest_runs(data_dir, limit)
    assert all(one.began > another.began for one, another in pairwise(runs))
    return {run.run: [record.activity for record in run.activities] for run in runs}, more


@pytest.mark.parametrize("earlier", [0, 3, 8], ids=["new", "upgraded", "old"])
def test_a_limit_counts_whole_runs(tmp_path: Path, earlier: int) -> None:
    """Whatever ran between two activities of a run, and whichever version wrote the names of the files."""
    for run, activity in _RUNS:
        with recorded(tmp_path, run, activity):
            pass
    for record in list(newest(tmp_path))[::-1][:earlier]:
        (path,) = (tmp_path / "runs").glob(f"{stamp(record)}-*.json")
        path.rename(path.with_name(f"{stamp(record)}-7-{record.activity.replace(' ', '-')}.json"))
    runs = list(_LATEST.items())
    for limit in range(1, 6):
        shown, more = _shown(tmp_path, limit)
        if earlier == 3 and "a" in shown:  # no run has files of two versions but in this test
            continue
        if earlier in (0, 8):
            assert shown == dict(runs[:limit])
        assert more == (limit < len(runs))


def test_a_long_run_that_goes_on_is_not_cut_and_has_its_place(tmp_path: Path) -> None:
    """Its activity under way is the newest of all; its beginning is not."""
    with whole_run("long"):
        for run, activity in (("long", "pull lists"), ("short", "pull offers")):
            with recorded(tmp_path, run, activity):
                pass
        with recorded(tmp_path, "long", "publish"):
            assert _shown(tmp_path, 1) == ({"short": ["pull offers"]}, True)
            assert _shown(tmp_path, 2)[0]["long"] == ["pull lists", "publish"]


@pytest.mark.parametrize(
    ("activities", "what"),
    [
        ([("pull audiences", "pull --measure"), ("measure audiences", "pull --measure")], "pull --measure"),
        ([("take in sends", "push all"), ("take in clicks", "push all"), ("push sends", "push all")], "push all"),
        ([("take in sends", "push sends clicks"), ("take in clicks", "push sends clicks")], "push sends clicks"),
        ([("take in sends", None), ("take in clicks", None)], "take in sends clicks"),
        ([("pull lists", None), ("publish", "pull lists"), ("reconcile", None)], "pull lists, reconcile"),
        ([("publish", None)], "publish"),
    ],
)  # fmt: skip
def test_a_run_is_named_by_what_was_asked_for(activities: list[tuple[str, str | None]], what: str) -> None:
    """Once, whichever of its parts have begun; by its verbs where nobody has kept what was asked for."""
    at = "2026-11-01T00:00:00+00:00"
    records = [RunRecord(run="r", activity=one, asked=asked, started_at=at) for one, asked in activities]
    assert Run("r", records).what == what


_PUSH, _SYNC = "push all", "pull all, push all"


@pytest.mark.parametrize("ended", ["killed", "failed", "stopped"])
@pytest.mark.parametrize(
    ("asked", "done", "last", "rows"),
    [
        (_PUSH, [], "take in sends", {"": "0"}),
        (_PUSH, [("take in sends", 3000)], "take in clicks", {"": "0"}),
        (_PUSH, [("take in sends", 3000), ("take in clicks", 20)], "push sends", {"": "0", "killed": "unknown"}),
        (_PUSH, [("take in sends", 3000), ("push sends", 40)], "push clicks", {"": "40", "killed": "40 + ?"}),
        (_SYNC, [("pull lists", 7), ("publish", 7), ("take in sends", 3000)], "take in clicks", {"": "7"}),
        (None, [("take in sends", 3000)], "take in clicks", {"": "3,000", "killed": "3,000 + ?"}),
        ("pull all", [("pull lists", 7)], "pull contacts", {"": "7", "killed": "7 + ?"}),
        ("pull all", [("pull lists", 7), ("pull contacts", 1200)], "publish", {"": "1,207"}),
        ("pull --measure", [("pull audiences", 5), ("publish", 5)], "measure audiences", {"": "5"}),
        (None, [("pull lists", 7), ("publish", 7)], "reconcile", {"": "7"}),
        (None, [], "reconcile", {"": "0 contacts", "killed": "unknown"}),
        (None, [("reconcile", 1)], "reconcile", {"": "1 contact", "killed": "1 contact + ?"}),
        (None, [], "adopt", {"": "0", "killed": "unknown"}),
        (None, [], "replay contacts", {"": "0", "killed": "unknown"}),
        (None, [], "rollback contacts", {"": "0", "killed": "unknown"}),
    ],
)  # fmt: skip
def test_the_rows_of_a_run_that_ended_early_are_those_that_it_moved(
    ended: str, asked: str | None, done: list[tuple[str, int]], last: str, rows: dict[str, str]
) -> None:
    """Whichever activity it ended in; what was taken in for a push has not been sent by then."""
    at = "2026-11-01T00:00:00+00:00"
    records = [
        RunRecord(run="r", activity=activity, asked=asked, started_at=at, status="succeeded", rows=number)
        for activity, number in done
    ]
    records.append(RunRecord(run="r", activity=last, asked=asked, started_at=at, status=ended))
    assert Run("r", records, "killed" if ended == "killed" else "").rows_moved == rows.get(ended, rows[""])


def test_records_of_a_later_version_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a status and a field that this one does not know."""
    runs = tmp_path / "runs"
    runs.mkdir()
    record = {
        "run": "later",
        "activity": "pull lists",
        "started_at": "2030-01-01T00:00:00+00:00",
        "status": "waived",
    }
    (runs / "20300101T000000.0-1-pull-lists.json").write_text(json.dumps({**record, "energy": 7}))
    show_runs([_run(tmp_path)])
    assert "waived" in capsys.readouterr().out


def _run(data_dir: Path) -> Run:
    return latest_runs(data_dir, 1)[0][0]


def test_a_run_goes_on_between_its_activities(tmp_path: Path) -> None:
    """Until its process has ended; once that is gone without having ended, it was killed."""
    with whole_run("run", "pull all"):
        with recorded(tmp_path, "run", "pull lists"):
            pass
        assert (_run(tmp_path).status, _run(tmp_path).what) == ("running", "pull all")
        with recorded(tmp_path, "another", "pull lists"):
            pass
        assert _run(tmp_path).status == "succeeded"
    assert [run.status for run in latest_runs(tmp_path, 9)[0]] == ["succeeded", "succeeded"]
    assert list((tmp_path / "runs").glob("*.run")) == []
    child = os.fork()
    if not child:
        with whole_run("killed"), recorded(tmp_path, "killed", "pull lists"):
            pass
        with whole_run("killed"):
            with recorded(tmp_path, "killed", "publish"):
                pass
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert [record.status for record in _run(tmp_path).activities] == ["succeeded", "succeeded"]
    assert _run(tmp_path).status == "killed"
    assert unended_runs(tmp_path) == {"killed": "killed"}
    (mark,) = (tmp_path / "runs").glob("*.run")
    os.utime(mark, (0, datetime.fromisoformat(_run(tmp_path).began).timestamp() + 3.5))
    assert _run(tmp_path).took == "3.5 s + ?", "between two activities"


def test_an_activity_that_ends_is_never_missing_and_never_there_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is there before its mark goes, also at the moment in between."""
    seen = []
    unlink = Path.unlink

    def look_first(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".begun":
            seen.append([record.activity for record in _run(tmp_path).activities])
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", look_first)
    with recorded(tmp_path, "run", "pull lists"):
        pass
    assert seen == [["pull lists"]]
    assert len(_run(tmp_path).activities) == 1


def test_a_run_of_dagster_goes_on_until_its_job_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its activities are those of its steps; after the first of them the pull is one of everything already."""
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(tmp_path))
    seen: list[tuple[str, str]] = []

    def step(name: str) -> dg.OpDefinition:
        @dg.op(name=name)
        def pulled(context: dg.OpExecutionContext, trackly: Trackly) -> None:
            if seen:
                run = _run(trackly.settings().data_dir)
                seen.append((run.status, run.what))
                return
            with recorded(trackly.settings().data_dir, context.run_id, f"pull {name}"):
                seen.append(("running", "pull all"))

        return pulled

    @dg.job(name="pull", resource_defs={"trackly": Trackly()})
    def both() -> None:
        for name in PULLED:
            step(name)()

    assert both.execute_in_process().success
    run = dg.DagsterRun(job_name="sync")
    assert asked(run) == "pull all, push all"
    assert asked(run._replace(step_keys_to_execute=["lists", "imported_sends"])) == "pull lists, push sends"
    assert asked(run._replace(asset_selection=frozenset({dg.AssetKey("history_sends")}))) == ""
    assert set(seen) == {("running", "pull all")}
    assert len(seen) == len(PULLED)
    assert _run(tmp_path).status == "succeeded"
