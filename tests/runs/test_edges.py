"""Records of runs where a disk, another process or a person's account is not as usual."""

import json
import os
import pwd
import resource
from pathlib import Path

import pytest

from pipelines.errors import StorageError
from pipelines.run_records import unreported
from pipelines.run_records.pruning import prune_runs
from pipelines.run_records.summary import Run
from pipelines.run_records.unreported import Notice
from pipelines.runs.activity_state import marked, unended
from pipelines.runs.record_files import _written_over_mark
from pipelines.runs.recording import details, newest, person, recorded
from pipelines.runs.run_state import asked_of, show_begun, unended_runs, whole_run
from pipelines.settings import load_settings
from pipelines.snapshots import new_snapshot_id, snapshots
from schemas.own_tables.sync import RunRecord

_OLD = "2020-01-01T00:00:00+00:00"


def test_an_error_that_nobody_thought_of_is_on_record_by_its_kind(tmp_path: Path) -> None:
    """Its text is not: it may quote data."""
    with pytest.raises(ZeroDivisionError), recorded(tmp_path, "r", "pull lists"):
        raise ZeroDivisionError("of +15550001111")
    (record,) = newest(tmp_path)
    assert (record.status, record.error) == ("failed", "ZeroDivisionError")


def test_marks_that_cannot_be_read_are_no_runs(tmp_path: Path) -> None:
    """One that is gone since it was listed, one that is just beginning, and one in a folder that takes none."""
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "20300101T000000.0-1-pull-lists.begun").symlink_to("gone")
    (folder / "gone.run").symlink_to("gone")
    (folder / "20300101T000000.0-1-pull-offers.begun").touch()
    assert (unended(tmp_path), unended_runs(tmp_path)) == ([], {})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "runs").write_text("in the way")
    with marked(tmp_path / "other", RunRecord(run="r", activity="pull", started_at=_OLD)):
        assert (tmp_path / "other" / "runs").read_text() == "in the way"


def test_what_had_ended_when_its_process_was_killed_is_not_killed(tmp_path: Path) -> None:
    """Its record stands beside the mark, which the next activity of that name removes."""
    record = {"run": "first", "activity": "pull lists", "started_at": _OLD, "status": "succeeded"}
    mark = tmp_path / "runs" / "20300101T000000.0-1-pull-lists.begun"
    mark.parent.mkdir()
    for path in (mark, mark.with_suffix(".json")):
        path.write_text(json.dumps(record))
    assert unended(tmp_path) == []
    with recorded(tmp_path, "second", "pull lists"):
        assert not mark.exists()
    assert {(one.run, one.status) for one in newest(tmp_path)} == {
        ("first", "succeeded"),
        ("second", "succeeded"),
    }


def test_a_run_within_itself_is_one(tmp_path: Path) -> None:
    """As a job of Dagster calls the engine: the outer one decides when it ends."""
    with whole_run("r", "pull all"):
        show_begun(tmp_path, "r")
        with whole_run("r"):
            assert asked_of("r") == "pull all"
        assert unended_runs(tmp_path) == {"r": "running"}
    assert (unended_runs(tmp_path), asked_of("r")) == ({}, "")


def test_old_marks_of_killed_runs_and_damaged_records_go(tmp_path: Path) -> None:
    """A record that cannot be read is no success that something goes by; a mark goes at its age."""
    settings = load_settings(_env_file=None, data_dir=tmp_path)
    folder = tmp_path / "runs"
    folder.mkdir()
    good = {"run": "r", "activity": "pull lists", "started_at": _OLD, "status": "succeeded"}
    names = [f"2020010{day}T000000.1-7-pull-lists.json" for day in (1, 2, 3)]
    for name, content in zip(names, (json.dumps(good), json.dumps(good), "{cut"), strict=True):
        (folder / name).write_text(content)
    (folder / "of-old.run").write_text("r")
    os.utime(folder / "of-old.run", (0, 0))
    assert prune_runs(settings) == 1
    assert sorted(path.name for path in folder.iterdir()) == names[1:]


def test_a_push_that_was_killed_shows_what_was_counted() -> None:
    ended = RunRecord(
        run="r",
        activity="push sends",
        started_at=_OLD,
        status="succeeded",
        rows=9,
        sent=7,
        details=details(settled=0),
    )
    killed = RunRecord(run="r", activity="push clicks", started_at=_OLD, status="killed")
    assert Run("r", [ended, killed]).figures == "7 sent and counted before it was killed"


def test_notices_that_are_damaged_or_cannot_be_kept_go(tmp_path: Path) -> None:
    """Nothing waits for ever: Dagster's records then miss a run, which a warning has told."""
    notice = Notice("r", _OLD)
    unreported.leave(tmp_path, notice)
    (path,) = (path for path in unreported.dagster_folder(tmp_path).rglob("*.json"))
    (path.parent / "damaged.json").write_text("{cut")
    assert unreported.pending(tmp_path) == [notice]
    assert [left.name for left in path.parent.iterdir()] == [path.name]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        unreported.failed(tmp_path, notice)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert unreported.pending(tmp_path) == []


def test_a_record_that_does_not_fit_over_its_mark_leaves_it_as_it_is(tmp_path: Path) -> None:
    """The mark has a block of the disk, and a full one may take less than that."""
    mark = tmp_path / "20300101T000000.0-1-pull-lists.begun"
    mark.write_bytes(b"of the mark")
    path = mark.with_suffix(".json")
    assert not _written_over_mark(path, bytes(4_097))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        assert not _written_over_mark(path, bytes(40))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (mark.read_bytes(), path.exists()) == (b"of the mark", False)
    assert _written_over_mark(path, bytes(40))
    assert (path.read_bytes(), mark.exists()) == (bytes(40), False)


def test_a_person_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user need not have one."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert person() is None


def test_a_damaged_manifest_is_named_with_what_to_do(tmp_path: Path) -> None:
    made = tmp_path / "contacts" / new_snapshot_id(tmp_path / "contacts")
    made.mkdir(parents=True)
    (made / "manifest.json").write_text("{cut")
    with pytest.raises(
        StorageError, match=rf"manifest.json is damaged .* Move .*{made.name} away and pull again"
    ):
        snapshots(tmp_path, "contacts")
