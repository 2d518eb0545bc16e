"""What Dagster seldom brings: runs outside the main thread, steps that fail as nobody foresaw, what is not there."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from assets.graph.pushed import imports_published
from assets.inspection.lookups import event_rows, snapshot_content, view_rows
from assets.inspection.row_checks import _rule
from assets.records import command_line
from assets.runs import in_process
from assets.runs.engine_calls import _interruptible
from assets.runs.in_process import JobResult
from assets.runs.progress import Step, first_error
from assets.ui.serve import _alive
from pipelines.errors import BusyError, DataError, StorageError
from pipelines.process.exit_codes import FAILED, LEFT_OUT
from pipelines.settings import Settings, load_settings
from schemas.contacts import CONTACTS
from schemas.own_tables.sync import RunRecord


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return load_settings(_env_file=None)


def failed(name: str = "", message: str = "") -> Any:
    """A run as Dagster shows it, with one step that failed."""
    error = SimpleNamespace(cls_name=name, message=message) if name else None
    data = SimpleNamespace(user_failure_data=None, error=error)
    step = SimpleNamespace(is_step_failure=True, step_failure_data=data, step_key="contacts")
    return SimpleNamespace(all_events=[SimpleNamespace(is_step_failure=False), step])


def test_what_nobody_foresaw_is_named_by_its_step() -> None:
    assert str(first_error(failed("ZeroDivisionError", " by zero\n"))) == "contacts: by zero"
    assert str(first_error(failed())) == "contacts: failed"
    assert isinstance(first_error(failed("DagsterAssetCheckFailedError", "no")), DataError)
    assert "before its first step" in str(first_error(SimpleNamespace(all_events=[])))  # type: ignore[arg-type]


def test_a_job_ends_with_the_exit_code_of_what_happened(
    bare: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an error that nobody foresaw, of Ctrl-C, and of checks: revenue that is perhaps there twice is 3."""

    def broken(*_: Any, **__: Any) -> JobResult:
        raise RuntimeError("contacts: failed")

    def stopped(*_: Any, **__: Any) -> JobResult:
        raise KeyboardInterrupt

    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert (in_process.main("pull", run=broken), in_process.main("pull", run=stopped)) == (FAILED, 130)
    assert capsys.readouterr().err == "Error: contacts: failed\n"
    for names, code in (
        ([in_process.TWICE], LEFT_OUT),
        ([in_process.TWICE, "keys"], FAILED),
        (["keys"], FAILED),
    ):
        checks = [Step(name=name, state="broken", metadata={}) for name in names]
        assert in_process._code(JobResult("r", {}, checks), bare) == code
    for name in ("lists", "contacts_checks"):
        in_process._say(Step(name=name, state="skipped", metadata={}))
    assert capsys.readouterr().out.splitlines()[-1].split() == ["lists", "skipped"]


def test_what_is_not_there_is_no_rows_and_no_content(bare: Settings) -> None:
    """Before the first event, and before the first pull."""
    assert event_rows(bare) == 0
    assert view_rows(bare, ["marts.funnel"]) == {}
    duckdb.connect(str(bare.warehouse)).close()
    assert event_rows(bare) == 0
    with (
        pytest.raises(StorageError, match="There is no snapshot of contacts yet"),
        snapshot_content(bare, CONTACTS),
    ):
        pass
    assert _rule("phone_number", "column_in_dataframe", "list_id") == "list_id: must be there"


def test_what_another_run_has_removed_is_reported_without_it(bare: Settings) -> None:
    record = RunRecord(run="r", activity="lint", started_at="2026-11-01T00:00:00+00:00")

    def gone(*_: Any) -> Any:
        raise StorageError("It is gone.", "Pull.")

    assert command_line._found(gone, bare, record, "contacts") == []
    assert command_line._found(command_line._nothing, bare, record, "contacts") == []


def test_a_push_that_finds_another_one_publishes_nothing(bare: Settings) -> None:
    """The other one publishes when it ends."""
    with pytest.raises(BusyError), imports_published(bare):
        raise BusyError("Another push is under way.", "Wait for it.")
    assert not bare.warehouse.exists()


def test_beyond_the_main_thread_no_signal_is_touched() -> None:
    """Python lets only the main thread do that: an executor of threads runs steps all the same."""
    done: list[int] = []

    def work() -> None:
        with _interruptible():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]


def test_a_process_that_is_gone_is_not_alive() -> None:
    assert not _alive(2**22 + 1)  # more than the system gives
