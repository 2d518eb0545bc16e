"""Whatever is lost of ledger and warehouse, a push is refused or exact: revenue is in the account once."""

import inspect
import json
import os
import re
import shutil
from itertools import product

import duckdb
import pytest
from oracle import query
from pushed_thrice import BOTH, CUT_OFF, FIRST, LAST, PULLED, SECOND, Pushed, Row, sales, to_send

from pipelines.cli.commands.report import report
from pipelines.cli.commands.resolve_emptied import state_emptied
from pipelines.errors import StorageError, UsageError
from pipelines.privacy import Privacy
from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.audit.archive.rows import keep as archive
from pipelines.push.audit.lost_ledger.calls_under_way import begin_notes, pushed_folder
from pipelines.push.audit.lost_ledger.detect import lost, of_ledger
from pipelines.push.audit.lost_ledger.pushed_calls import note_pushed
from pipelines.push.audit.publish.lost_warehouse import publish_missing_imports
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.checks.compare import compare
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome
from pipelines.push.resolve import in_doubt, resolve
from pipelines.push.run import intake, plan, push
from pipelines.push.send.queries import Queue
from pipelines.push.stage.database import opened, stage_path

LEDGERS = ("present", "of the second push", "of the first push", "empty", "deleted")
WAREHOUSES = ("of the second push", "of the first push", "deleted", PULLED)


@pytest.mark.parametrize(
    ("ledger", "warehouse"),
    [
        cell
        for cell in product(LEDGERS, WAREHOUSES)
        # to publish what is missing is most of a cell's time, and a ledger has rows then, or none
        if cell[1] != PULLED or cell[0] in ("present", "of the first push", "deleted")
    ],
)
def test_a_push_is_refused_or_exact(pushed: Pushed, ledger: str, warehouse: str) -> None:
    """With the latest ledger it is exact; with any other nothing leaves, and all who ask get the same answer."""
    pushed.restore(ledger, warehouse)
    settings = pushed.settings
    if ledger == "present":
        assert not lost(settings)
        if warehouse == PULLED:
            push(settings, BOTH)
            assert pushed.sales == sales(LAST)
        else:  # the ledger knows the sends
            assert to_send(settings, ["revenue"]) == LAST - CUT_OFF
        return
    for either in (push, plan):
        with pytest.raises(StorageError, match="count twice") as refused:
            either(settings, BOTH)
        assert "trackly-sync adopt" in refused.value.remedy
    assert pushed.sales == sales(CUT_OFF)
    assert (of_ledger(settings).firing, lost(settings).has_revenue) == (True, True)


@pytest.mark.parametrize(
    ("ledger", "warehouse"),
    [
        ("of the first push", PULLED),
        ("deleted", "deleted"),
    ],
)
def test_what_survives_is_taken_over(pushed: Pushed, ledger: str, warehouse: str) -> None:
    """What was answered and noted is accepted; calls that were under way are in doubt, for a person to settle."""
    pushed.restore(ledger, warehouse)
    settings = pushed.settings
    known = {"of the first push": FIRST, "of the second push": SECOND}.get(ledger, 0)
    done = adopt(settings)
    assert (done.rows, done.in_doubt) == (CUT_OFF - known, CUT_OFF - SECOND)
    assert float(done.amount) == sum(sales(CUT_OFF)[known:])
    assert adopt(settings).rows == 0
    assert not lost(settings).has_revenue
    doubtful = [doubt.identity for doubt in in_doubt(settings)]
    assert doubtful == [f"record:r{n}" for n in range(SECOND, CUT_OFF)]
    resolve(settings, doubtful, Outcome.ACCEPTED, "seen in the account")
    if warehouse == "deleted":
        counted = "SELECT count(list_id), count(phone_number), sum(revenue) FROM marts.imported_activity"
        assert query(settings.warehouse, f"{counted} WHERE dataset = 'sends'") == [(0, CUT_OFF, None)]
        assert to_send(settings) == LAST - CUT_OFF
        return
    findings = reconcile(settings).findings
    assert not any(findings.values()), "what the account gained is what was taken over"
    push(settings, ["revenue"])
    assert pushed.sales == sales(LAST)
    found = "SELECT count(*), count(DISTINCT identity) FROM imports.records WHERE dataset = 'revenue'"
    assert query(settings.warehouse, f"{found} AND outcome = 'accepted'") == [(LAST, LAST)]
    assert outcomes(settings)["revenue"].accepted == LAST


def test_sends_that_a_lost_ledger_knew_stay_in_the_marts(pushed: Pushed) -> None:
    """They are pending until they are pushed again, in status and in the records alike; then they are duplicates."""
    pushed.restore("deleted", "of the second push")
    settings = pushed.settings
    figures = "SELECT count(*) FROM marts.imported_messages"
    before = query(settings.warehouse, figures)
    records = "SELECT outcome, code, count(*) FROM imports.records WHERE dataset = 'sends' GROUP BY ALL"
    assert before == [(LAST,)]
    adopt(settings)
    publish_imports(settings)  # once more
    assert query(settings.warehouse, figures) == before
    assert query(settings.warehouse, records) == [("pending", "sent_before", LAST)]
    assert outcomes(settings)["sends"].pending == LAST
    push(settings, ["sends"])
    assert query(settings.warehouse, figures) == before
    assert query(settings.warehouse, records) == [("duplicate", "already_there", LAST)]


def test_an_older_ledger_is_noticed_beside_an_archive_of_an_earlier_version(pushed: Pushed) -> None:
    """Without a warehouse, or with one that a pull has made: what only the archive has is taken over in doubt.

    The rows of the latest ledger are all in its archive, so that nothing is refused beside that.
    """
    settings, lacking = pushed.settings, CUT_OFF - FIRST
    for ledger, is_pulled in (("present", False), ("of the first push", False), ("of the first push", True)):
        pushed.restore(ledger, "deleted")
        shutil.rmtree(pushed_folder(settings))
        if is_pulled:
            shutil.copy(pushed.backups / PULLED / "warehouse.duckdb", settings.warehouse)
            publish_missing_imports(settings)
        # what is published is not taken for all that was sent
        unknown = 0 if ledger == "present" else lacking
        assert (lost(settings).rows, of_ledger(settings).firing) == (unknown, unknown > 0)
        if ledger == "present":
            assert to_send(settings, ["revenue"]) == LAST - CUT_OFF
            continue
        with pytest.raises(StorageError, match=f"{lacking} rows of revenue that parquet/imports has"):
            push(settings, BOTH)
        done = adopt(settings)
        assert (done.rows, done.in_doubt) == (lacking, lacking), is_pulled
    doubtful = [doubt.identity for doubt in in_doubt(settings)]
    resolve(settings, doubtful, Outcome.ACCEPTED, "seen in the account")
    push(settings, ["revenue"])
    assert pushed.sales == sales(LAST)


def test_rows_that_a_killed_push_did_not_send_are_sent_by_the_next(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its archive has them and its ledger does not, before anything was published: that is no older ledger.

    When a row arrives, the note of its call is on the disk.
    """
    pushed.restore("empty", "deleted")
    settings = pushed.settings
    shutil.rmtree(settings.parquet_dir / "imports")
    pushed.account.revenue.clear()
    intake(settings, BOTH)

    with opened(stage_path(settings, "revenue")) as stage, open_ledger(settings) as ledger:
        Privacy.of(settings).define(stage)
        compared = compare(stage, "revenue", ledger)
        compared.record(ledger)
        with pytest.raises(ValueError, match="totals"):  # by which a lost call is settled
            Queue(compared)
        stage.execute("DELETE FROM verdicts")  # as if the sends were there
        begin_notes(settings)
        assert archive(stage, "revenue", settings) == LAST
    assert not lost(settings)
    synced, notes, fsync = set[str](), pushed_folder(settings) / "under-way", os.fsync

    def sync(handle: int) -> None:
        fsync(handle)
        if notes.exists() and os.path.samestat(os.fstat(handle), notes.stat()):
            synced.update(re.findall(r"m\d{6}", notes.read_text()))

    def arrive(entity: str, row: Row) -> None:
        if entity == "revenue":
            assert row["message_id"] in synced

    monkeypatch.setattr(os, "fsync", sync)
    pushed.account.refuse = arrive
    assert push(settings, BOTH).outcomes["revenue"].accepted == LAST
    pushed.account.refuse = None
    assert pushed.sales == sales(LAST)


def test_notes_are_written_where_something_is_new(pushed: Pushed) -> None:
    """Neither file by a push that did nothing; the rows where an outcome is another one; both where one is broken."""
    pushed.restore("present", "of the second push")
    settings = pushed.settings
    calls, rows = pushed_folder(settings) / "calls.parquet", pushed_folder(settings) / "revenue.parquet"

    def written() -> tuple[int, int]:
        return calls.stat().st_ino, rows.stat().st_ino

    def note(change: str) -> None:
        with duckdb.connect(settings.warehouse) as connection:
            connection.execute(change)
            note_pushed(connection, settings)

    publish_imports(settings)
    first = written()
    publish_imports(settings)
    assert written() == first
    note("UPDATE imports.records SET outcome = 'rejected' WHERE identity = 'record:r8'")
    assert (written()[0], written()[1] != first[1]) == (first[0], True)
    rows.write_bytes(rows.read_bytes()[:-9])
    note("FROM imports.records")
    assert query(settings.warehouse, f"SELECT count(*) FROM read_parquet('{rows}')") == [(CUT_OFF,)]


def test_the_report_says_that_the_ledger_was_lost(pushed: Pushed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that nothing was pushed, where it also says that something was."""
    pushed.restore("deleted", PULLED)
    settings = pushed.settings
    for name, value in (("BASE_URL", settings.base_url), ("DATA_DIR", settings.data_dir)):
        monkeypatch.setenv(f"TRACKLY_{name}", str(value))
    inspect.unwrap(report)(as_json=True)
    page = (settings.data_dir / "report.html").read_text(encoding="utf-8")
    assert "<b>Ledger lost.</b>" in page
    assert "the ledger is empty" in page
    for denied in ("Pulled only", "not pushed yet", "No history has been pushed"):
        assert denied not in page


@pytest.mark.parametrize("ledger", ["deleted", "of the first push"])
def test_an_emptied_account_is_filled_again_once_somebody_states_it(
    pushed: Pushed, ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a reason, which is kept; what the ledger still has as sent stays so."""
    pushed.restore(ledger, "of the second push")
    settings, account = pushed.settings, pushed.account
    kept = FIRST if ledger == "of the first push" else 0
    account.revenue[:] = account.revenue[:kept]
    with pytest.raises(UsageError, match="reason"):
        state_emptied(settings, " ", False, other=[])
    with pytest.raises(UsageError, match="all of the account"):
        state_emptied(settings, "reset", False, other=[["record:r1"], None])
    with pytest.raises(StorageError):
        push(settings, BOTH)
    assert state_emptied(settings, "reset by support", True, other=[[], None, False]) == 0
    assert json.loads(capsys.readouterr().out)["emptied"] is True
    assert not lost(settings)
    if not kept:
        assert to_send(settings) == LAST
        return
    push(settings, ["revenue"])
    assert pushed.sales == sales(LAST)
    said = query(settings.warehouse, "SELECT outcome, reason FROM imports.resolutions")
    assert said == [("emptied", "reset by support")]
    (statement,) = settings.parquet_dir.glob("imports/emptied-*/statement.json")
    assert json.loads(statement.read_text())["reason"] == "reset by support"
    assert state_emptied(settings, "again", False, other=[]) == 0
    assert "Nothing was put on record" in capsys.readouterr().out
