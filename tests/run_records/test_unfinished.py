"""What runs did not reach that were killed, failed or stopped, for as long as nobody has done it."""

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from pipelines.alerts.after_run import conditions
from pipelines.cli.shared.attention import attention
from pipelines.errors import ServiceError
from pipelines.process import interrupts
from pipelines.push.ledger.status import outcomes
from pipelines.run_records.failures import failure_recorded, note_recovery
from pipelines.run_records.unfinished import commands, unfinished
from pipelines.runs.record_files import path_of
from pipelines.runs.recording import last_of_each, now, part_of, recorded
from pipelines.runs.run_state import MARK, tag, whole_run
from pipelines.settings import Settings
from schemas.own_tables.sync import RunRecord
from schemas.registry import PULLED

_END = {
    "failed": ServiceError("no answer"),
    "stopped": KeyboardInterrupt(),
    "terminated": KeyboardInterrupt(),
}


def _ended_early(data_dir: Path, asked: str, activities: list[str], how: str) -> None:
    """A run that ends in the last of its activities; killed after them where that is ""."""
    whole = asked if ", " in asked else ""  # as Dagster has it; a command's parts name it
    interrupts._state.terminated = how == "terminated"
    with suppress(ServiceError, KeyboardInterrupt), whole_run("ended", whole), part_of(asked):
        for activity in activities[:-1]:
            _done(data_dir, "ended", activity)
        if how in _END:
            with recorded(data_dir, "ended", activities[-1]):
                raise _END[how]
    interrupts._state.terminated = False
    if how in _END:
        return
    # as a process leaves it that is killed
    (data_dir / "runs" / f"{tag('ended')}-1{MARK}").write_text("ended")
    if activities[-1]:
        mark = RunRecord(run="ended", activity=activities[-1], started_at=now(), asked=asked)
        path_of(data_dir, mark).with_suffix(".begun").write_bytes(msgspec.json.encode(mark))


def _done(data_dir: Path, run: str, activity: str, month: str | None = None) -> None:
    with recorded(data_dir, run, activity, month):
        pass


def _left(data_dir: Path, verb: str) -> list[tuple[str, list[str], str]]:
    return [(one.what, one.datasets, commands(one.what)) for one in unfinished(data_dir, verb, {})]


_ALL = list(PULLED)
_PUSH = ("push all", ["clicks", "revenue"], "trackly-sync push")


@pytest.mark.parametrize("how", ["killed", "failed", "stopped", "terminated"])
def test_what_a_push_did_not_reach_is_left_until_it_is_pushed(settings: Settings, how: str) -> None:
    """Also after what it was in when it ended went well; `status` and alerts agree, and name what was asked for.

    What a person has stopped does not alert: only `status` names it.
    """
    data_dir = settings.data_dir
    settings.history.mkdir(parents=True)
    file = settings.history / "sends.csv"
    file.touch()
    _ended_early(data_dir, "push all", ["take in sends", "push sends", "push clicks"], how)
    firing = {one.name: one for one in conditions(settings, outcomes) if one.firing}
    assert ("unfinished:push" in firing, "failed:push clicks" in firing) == (
        how == "terminated",
        how in ("failed", "killed"),
    )
    assert any(note.startswith(("push all was", "push all failed")) for note in attention(settings, {}, {}))
    # what failed or was killed alerts by itself, until it runs again
    assert _left(data_dir, "push") == ([_PUSH] if how in ("stopped", "terminated") else [])
    _done(data_dir, "later", "push clicks")
    assert _left(data_dir, "push") == [("push all", ["revenue"], "trackly-sync push")]
    (found,) = (one for one in conditions(settings, outcomes) if one.name == "unfinished:push")
    assert (found.firing, found.noted) == (how != "stopped", how == "stopped")
    assert found.remedy == "Run it again: trackly-sync push"
    assert "revenue has not been pushed since" in found.text
    assert f"{found.text}. {found.remedy}" in attention(settings, {}, {})
    file.unlink()
    assert "unfinished:push" not in {one.name for one in conditions(settings, outcomes)}, "nothing to push"
    unreadable = settings.model_copy(update={"history_dir": settings.data_dir / ("x" * 300)})
    assert "unfinished:push" in {one.name for one in conditions(unreadable, outcomes)}, "a push says why not"
    file.touch()
    _done(data_dir, "month", "push revenue", "2026-10")
    assert len(_left(data_dir, "push")) == 1
    _done(data_dir, "last", "push revenue")
    assert _left(data_dir, "push") == _left(data_dir, "pull") == []
    (found,) = (one for one in conditions(settings, outcomes) if one.name == "unfinished:push")
    assert not found.firing


@pytest.mark.parametrize("last", ["pull lists", "publish"])
@pytest.mark.parametrize("how", ["killed", "failed", "stopped"])
def test_a_sync_that_ends_in_its_pull_has_left_its_push(settings: Settings, how: str, last: str) -> None:
    """It was not reached, whatever becomes of the pull; what failed names the pull alone."""
    data_dir = settings.data_dir
    settings.history.mkdir(parents=True)
    (settings.history / "sends.csv").touch()
    _ended_early(data_dir, "pull all, push all", ["pull contacts", last], how)

    def pushes() -> tuple[str, bool]:
        (found,) = (one for one in conditions(settings, outcomes) if one.name == "unfinished:push")
        return found.text, found.firing

    ended = "failed" if how == "failed" else f"was {how}"
    text = f"push all was not reached, since its run {ended}; nothing is half-done"
    assert pushes() == (text, how != "stopped")
    failed = {
        one.text for one in conditions(settings, outcomes) if one.name == f"failed:{last}" and one.firing
    }
    assert all(one.startswith(f"pull all {ended}") for one in failed)
    assert bool(failed) == (how != "stopped")
    for activity in [*(f"pull {name}" for name in PULLED), "publish"]:
        _done(data_dir, "later", activity)
    assert pushes() == (text, how != "stopped")
    for name in ("sends", "clicks", "revenue"):
        _done(data_dir, "last", f"push {name}")
    assert not pushes()[1]


def test_what_a_pull_did_not_publish_is_left_until_it_is_pulled(tmp_path: Path) -> None:
    """What it has read counts only where a run has published it; what the account does not serve needs no more."""
    _ended_early(tmp_path, "pull all", ["pull contacts", "pull lists"], "killed")
    with whole_run("some"):
        for name in _ALL[:2]:
            _done(tmp_path, "some", f"pull {name}")
        left = _left(tmp_path, "pull")
    assert left == [("pull all", _ALL, "trackly-sync pull")]
    _done(tmp_path, "some", "publish")
    assert _left(tmp_path, "pull")[0][1] == _ALL[2:]
    for name in _ALL[2:]:
        with recorded(tmp_path, "rest", f"pull {name}") as record:
            record.details = msgspec.Raw(b'{"skipped": "404"}')
    assert _left(tmp_path, "pull") == []


def test_a_killed_run_of_dagster_has_left_what_it_was_yet_to_do(tmp_path: Path) -> None:
    """Killed between two steps: neither has a mark, and no record of a push is there."""
    pulls = [*(f"pull {name}" for name in PULLED), "publish"]
    _ended_early(tmp_path, "pull all, push all", [*pulls, ""], "killed")
    assert _left(tmp_path, "pull") == []
    assert _left(tmp_path, "push") == [("push all", ["sends", "clicks", "revenue"], "trackly-sync push")]
    with whole_run("goes on", "pull all, push all"):
        _done(tmp_path, "goes on", "pull lists")
        assert len(_left(tmp_path, "push")) == 1
    for name in ("sends", "clicks", "revenue"):
        _done(tmp_path, "last", f"push {name}")
    assert _left(tmp_path, "push") == []


def test_a_measurement_that_was_stopped_is_left_until_it_is_made(tmp_path: Path) -> None:
    """What was asked for is no list of datasets: what it was in is what is missing."""
    _ended_early(tmp_path, "pull --measure", ["measure audiences"], "stopped")
    (left,) = unfinished(tmp_path, "pull", {})
    assert (left.what, left.missing) == ("pull --measure", {("measure audiences", None)})
    _done(tmp_path, "later", "measure audiences")
    assert unfinished(tmp_path, "pull", {}) == []


def test_what_is_on_record_only_where_it_fails_is_noted_when_it_went_well_again(tmp_path: Path) -> None:
    """Once: after that there is nothing to note."""
    note_recovery(tmp_path, "first", "report")
    assert "report" not in last_of_each(tmp_path)
    with pytest.raises(ServiceError), failure_recorded(tmp_path, "second", ["report"]):
        raise _END["failed"]
    assert last_of_each(tmp_path)["report"].status == "failed"
    for run in ("third", "fourth"):
        note_recovery(tmp_path, run, "report")
    found = last_of_each(tmp_path)["report"]
    assert (found.status, found.run) == ("succeeded", "third")
