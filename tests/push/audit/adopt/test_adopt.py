"""A ledger that was lost or restored from a backup: revenue is not sent twice, and the push goes on."""

import inspect
import json
import os
import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from beginnings import Beginning, beginning, seeded
from commands import trackly_sync
from histories import active_offer, sends_to, write_rows
from lost_ledgers import Row, change, copy_ledger, restore, rows_of
from oracle import query

from pipelines.cli.commands.adopt import adopt as adopt_command
from pipelines.cli.commands.status import status as status_command
from pipelines.errors import StorageError
from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.audit.balances import balances
from pipelines.push.audit.lost_ledger.detect import lost
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.ledger.opening import existing_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome
from pipelines.push.resolve import in_doubt, resolve
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.push.stage.database import stage_path
from pipelines.sandbox import API_KEY, Account, Fault, running
from pipelines.settings import Settings
from schemas.own_tables.imports import FACTS

Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]
BOTH = ("sends", "revenue")


@pytest.fixture
def account() -> Account:
    """As many contacts as there are sends."""
    return seeded(120)


@pytest.fixture(scope="module")
def pushed_thrice(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]
) -> Beginning:
    """Three pushes of revenue, and the ledger backed up after the first and in the middle of the others.

    Of a hundred rows in all, the first ten are no longer in the input. The second push had no answer at first.
    """

    def make(folder: Path) -> Account:
        account = seeded(120)
        account.revenue.clear()
        sends, offer = sends_to(account.contacts(), 120), active_offer(account)
        with running(account) as server:
            settings = settings_of(server.url, folder / "data")
            write_rows(settings.history / "sends.ndjson", sends)
            write_rows(settings.history / "revenue.ndjson", rows_of(sends, offer, 0, 40))
            push(settings, ("sends", "revenue"))
            shutil.copy(settings.data_dir / "ledger.db", settings.data_dir / "backup.db")
            for first, last, copy in ((0, 70, "reset.db"), (10, 100, "answered.db")):
                write_rows(settings.history / "revenue.ndjson", rows_of(sends, offer, first, last))
                if copy == "reset.db":
                    server.faults.active.append(Fault("reset-after", path="history/revenue", times=1))
                account.refuse = partial(copy_ledger, settings, copy)
                push(settings, ["revenue"])
                account.refuse = None
        assert len(account.revenue) == 100
        return account

    return beginning(tmp_path_factory, "pushed-with-backups", make)


@pytest.fixture
def pushed(
    account: Account, settings: Settings, some_sends: Some, pushed_thrice: Beginning
) -> tuple[list[Row], Path]:
    """A hundred rows of revenue pushed; the sends, and a backup of the ledger with forty of them."""
    pushed_thrice.restore(account, settings)
    account.log.clear()
    return some_sends(120), settings.data_dir / "backup.db"


def accounted(settings: Settings) -> dict[str, int]:
    """The outcomes of revenue by the records, once status has the same, and the rows of the input are as many."""
    found = query(
        settings.warehouse,
        "SELECT outcome, count(*), count(DISTINCT identity) FROM imports.records"
        " WHERE dataset = 'revenue' AND in_input GROUP BY 1",
    )
    status = outcomes(settings)["revenue"]
    counts = {str(outcome): int(rows) for outcome, rows, _ in found}
    assert counts == {outcome: getattr(status, outcome) for outcome in counts}
    assert sum(counts.values()) == status.rows_in
    repeated = "SELECT identity FROM imports.records WHERE dataset = 'revenue' GROUP BY 1 HAVING count(*) > 1"
    assert all(rows == different for _, rows, different in found)
    assert query(settings.warehouse, repeated) == []
    return counts


def answers(settings: Settings) -> list[tuple[Any, ...]]:
    """When each call of revenue was meant to be sent, and what the ledger has of its answer."""
    of_answer = ("intended_at", "state", "http_status", "success_count", "total_revenue")
    with existing_ledger(settings) as ledger:
        assert ledger
        found = [call for call in ledger.chunks() if call["dataset"] == "revenue"]
    return sorted(tuple(call[name] for name in of_answer) for call in found)


ACKNOWLEDGED = (
    "INSERT INTO push_alarms (dataset, raised_at, rows, sent_again, contacts, amount, seconds, settle_seconds,"
    " acknowledged_at, reason) VALUES ('revenue', '2024-05-02T10:00:00+00:00', 1, 1, 1, 100, 1.0, 1.0,"
    " '2024-05-02T11:00:00+00:00', 'seen')"
)
PENDING = (
    "UPDATE push_rows SET outcome = 'pending', code = 'no_answer'"
    " WHERE outcome IS NULL AND dataset = 'revenue' AND identity LIKE '%5'"
)


@pytest.mark.usefixtures("pushed")
def test_an_older_state_of_a_call_gives_way_to_what_the_warehouse_has(
    account: Account, settings: Settings
) -> None:
    """Rows that were under way when the ledger was copied are accepted, by an answer or by a reading since.

    Each row of the input has one record throughout, also between taking over and the next push.
    """
    records, sold = accounted(settings), sorted(row["revenue"] for row in account.revenue)
    made = answers(settings)
    assert sold == [1.25 + number for number in range(100)]
    # older by two pushes; the same copy again: as before
    for copy, edit in (("reset.db", PENDING), ("reset.db", ""), ("answered.db", ACKNOWLEDGED)):
        backup = settings.data_dir / copy
        change(backup, edit)
        restore(settings, backup)
        done = adopt(settings)
        assert (done.settled > 0, done.in_doubt) == (True, 0)
        assert (accounted(settings), answers(settings)) == (records, made)
        assert not in_doubt(settings)
    assert adopt(settings).rows == 0
    with existing_ledger(settings) as ledger:
        assert ledger
        assert balances(ledger)["revenue"].agrees
        with ledger.figures() as figures:
            assert not figures.alarms()
            assert len(figures.alarms(every=True)) == 1
    found = push(settings, ["revenue"]).intakes["revenue"]
    assert (found.pending, found.known) == (0, found.rows_in)
    assert accounted(settings) == records
    assert sorted(row["revenue"] for row in account.revenue) == sold
    assert reconcile(settings).agrees


def make_older(settings: Settings) -> None:
    """Make the warehouse as the first version left it, which archived nothing and published no amounts."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        for column in (
            "evidence",
            "line",
            "differs",
            "differs_acknowledged",
            *(field.name for field in FACTS),
        ):
            connection.execute(f"ALTER TABLE imports.records DROP COLUMN {column}")
        connection.execute("ALTER TABLE imports.chunks DROP COLUMN run")
    shutil.rmtree(settings.parquet_dir / "imports")


@pytest.mark.parametrize("case", ["archived", "changed", "nowhere", "backup"])
def test_a_warehouse_without_amounts_is_taken_over_as_it_is(
    account: Account, settings: Settings, pushed_thrice: Beginning, case: str
) -> None:
    """They come from the stage or the archive; what is nowhere is unknown, neither 0 nor missing in the account.

    What the answer to a call added up is the amount of its rows, and other amounts for them are not believed. One
    call had no answer, so that its 27 rows are unknown where nothing else has them.
    """
    pushed_thrice.restore(account, settings)
    sold, answered = Decimal(125 + sum(range(100))), Decimal("3559.25")
    stage, archive = (
        settings.data_dir / "push" / "revenue.duckdb",
        settings.parquet_dir / "imports" / "revenue",
    )
    amount, unknown = {"nowhere": (answered, 27), "backup": (answered - 50 - sum(range(40)), 27)}.get(
        case, (sold, 0)
    )
    kept = archive.rename(settings.data_dir / "kept")
    make_older(settings)
    restore(settings, settings.data_dir / "backup.db" if case == "backup" else None)
    if case == "backup":  # of a contact whose totals before are known
        change(
            settings.data_dir / "ledger.db", "UPDATE push_rows SET amount = NULL WHERE identity = 'record:r5'"
        )
    if case == "archived":
        archive.parent.mkdir()
        kept.rename(archive)
    if case == "changed":
        with duckdb.connect(str(stage)) as connection:
            call = "SELECT chunk FROM w.imports.chunks WHERE total_revenue IS NULL AND dataset = 'revenue'"
            lost = f"SELECT message_id FROM w.imports.records WHERE chunk IN ({call})"
            connection.execute(f"ATTACH '{settings.warehouse}' AS w (READ_ONLY)")
            connection.execute(f"UPDATE input SET revenue = 1 WHERE message_id NOT IN ({lost})")
    else:
        stage.unlink()
    done = adopt(settings)
    assert (done.amount, done.unknown, done.in_doubt) == (amount, unknown, 0)
    with existing_ledger(settings) as ledger:
        assert balances(ledger)["revenue"].amount == (answered if unknown else sold)
        assert balances(ledger)["revenue"].agrees
    if case == "backup":
        compared = reconcile(settings)
        assert (compared.agrees, sum(compared.findings.values())) == (True, 0)
    if case == "nowhere":
        assert plan_push(settings, ["revenue"]).plans["revenue"].intake.pending == 0


def run_adopt(capsys: pytest.CaptureFixture[str], as_json: bool) -> str:
    """What the command prints, in one line; run in this process."""
    assert inspect.unwrap(adopt_command)(as_json=as_json) == 0
    return " ".join(capsys.readouterr().out.split())


def test_nothing_is_sent_until_the_revenue_is_taken_over(
    account: Account,
    settings: Settings,
    write: Write,
    offer: str,
    posted: Callable[[], int],
    pushed: tuple[list[Row], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every way to a push is refused and leaves the warehouse alone; afterwards only what is new is sent."""
    sends, backup = pushed
    write("revenue.ndjson", rows_of(sends, offer, 0, 110))
    given = {"API_KEY": API_KEY, "BASE_URL": settings.base_url, "DATA_DIR": str(settings.data_dir)}
    for name, value in given.items():
        monkeypatch.setenv(f"TRACKLY_{name}", value)
    for older, known in ((backup, 40), (None, 0)):
        restore(settings, older)
        before, requests = settings.warehouse.read_bytes(), posted()
        for either, paths in ((push, ("sends",)), (plan_push, BOTH)):  # all else is in test_survivors.py
            with pytest.raises(StorageError, match=r"does not know [0-9]+ calls of revenue") as refused:
                either(settings, paths)
        assert "trackly-sync adopt" in refused.value.remedy
        with pytest.raises(StorageError, match="calls of revenue"):
            resolve(settings, ["record:r1"], Outcome.PENDING, "no")
        assert (settings.warehouse.read_bytes(), posted()) == (before, requests)

        stage = settings.data_dir / "push" / "revenue.duckdb"
        kept = stage.read_bytes()
        stage.write_bytes(b"damaged" * 1_000)
        with pytest.raises(StorageError, match=re.escape(str(stage))) as damaged:
            adopt(settings)
        assert damaged.value.remedy.startswith("Move it away"), "it is no fault of the warehouse"
        stage.write_bytes(kept)
        done = json.loads(run_adopt(capsys, as_json=True))
        assert (done["rows"], done["in_doubt"]) == (100 - known, 0)
        shown = Decimal("1.25") * done["rows"] + sum(range(known, 100))
        assert Decimal(done["amount"]) == shown
    assert "there is nothing to take over" in run_adopt(capsys, as_json=False)
    report = push(settings, BOTH)
    assert report.outcomes["revenue"].accepted == 110
    assert sorted(row["revenue"] for row in account.revenue) == [1.25 + number for number in range(110)]
    with existing_ledger(settings) as ledger:
        assert balances(ledger)["revenue"].agrees
    assert not lost(settings)
    found = query(
        settings.warehouse,
        "SELECT outcome, count(*) FROM imports.records WHERE dataset = 'revenue' GROUP BY 1",
    )
    assert found == [("accepted", 110)]

    settings.warehouse.write_bytes(b"damaged" * 1_000)
    capsys.readouterr()
    for as_json in (True, False):
        with pytest.raises(StorageError, match="warehouse"):
            inspect.unwrap(status_command)(as_json=as_json)
    document, _, shown = capsys.readouterr().out.partition("\n}\n")
    assert json.loads(document + "}")["push"]["revenue"]["accepted"] == 110, "the ledger is whole"
    assert ("cannot be read" in shown, "pulled yet" in shown, "110" in shown) == (True, False, True)


def test_a_row_that_was_sent_again_since_is_of_its_later_call(
    account: Account, settings: Settings, one_in_doubt: Beginning
) -> None:
    """An older ledger has it in doubt under its first call; the second has brought it in, and it is there once.

    An older warehouse has it so, too: what is noted beside the archive is later.
    """
    one_in_doubt.restore(account, settings)
    backup = Path(shutil.copy(settings.data_dir / "ledger.db", settings.data_dir / "backup.db"))
    older = Path(shutil.copy(settings.warehouse, settings.data_dir / "older.duckdb"))
    assert push(settings, ["revenue"]).outcomes["revenue"].accepted == 1
    restore(settings, backup)
    assert adopt(settings).rows == 1
    assert accounted(settings) == {"accepted": 1}
    assert push(settings, ["revenue"]).outcomes["revenue"].accepted == 1
    assert len(account.revenue) == 1
    restore(settings, None)
    older.replace(settings.warehouse)
    done = adopt(settings)
    assert (done.calls, done.rows, done.in_doubt) == (2, 1, 0)
    assert query(settings.warehouse, "SELECT outcome FROM imports.records WHERE dataset = 'revenue'") == [
        ("accepted",)
    ]


def test_rows_are_published_once_beside_a_ledger_of_another_input(
    settings: Settings, pushed: tuple[list[Row], Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Whether they are of the input is by the stage, which the next push builds where an earlier version made it."""
    _, backup = pushed
    restore(settings, backup)
    publish_imports(settings)
    published = "SELECT count(*), count(DISTINCT identity) FROM imports.records WHERE dataset = 'revenue'"
    assert query(settings.warehouse, published) == [(100, 100)]
    with duckdb.connect(str(stage_path(settings, "sends"))) as connection:
        connection.execute("UPDATE version SET version = version - 1")
    assert adopt(settings).rows == 60
    assert "sends: the input is counted again by the next push." in caplog.text
    assert query(settings.warehouse, published) == [(100, 100)]


def test_a_command_that_is_refused_names_the_remedy(
    settings: Settings, pushed: tuple[list[Row], Path]
) -> None:
    """In a process of its own, with exit 1."""
    _, backup = pushed
    restore(settings, backup)
    env = {name: value for name, value in os.environ.items() if not name.startswith("TRACKLY_")} | {
        "TRACKLY_API_KEY": API_KEY,
        "TRACKLY_BASE_URL": settings.base_url,
        "TRACKLY_DATA_DIR": str(settings.data_dir),
    }
    refused = trackly_sync(("push", "revenue"), env, settings.data_dir)
    assert refused.returncode == 1
    assert "trackly-sync adopt" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("either", ["postgresql"], indirect=True)  # SQLite above
def test_postgresql_takes_calls_over(
    account: Account, either: Settings, write: Write, some_sends: Some, offer: str
) -> None:
    """An empty ledger is refused, also without the warehouse, takes over what was sent, and numbers go on."""
    account.revenue.clear()
    sends = some_sends(8)
    write("sends.ndjson", sends)
    write("revenue.ndjson", rows_of(sends, offer, 0, 5))
    push(either, ["sends", "revenue"])
    assert either.ledger_url
    with psycopg.connect(either.ledger_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    for known_by in ("imports.chunks", "parquet/imports"):
        with pytest.raises(StorageError, match=f"calls? of revenue that {known_by} has"):
            push(either, BOTH)
        either.warehouse.unlink(missing_ok=True)
    assert len(account.revenue) == 5
    done = adopt(either)
    assert (done.rows, done.in_doubt) == (5, 0)
    write("revenue.ndjson", rows_of(sends, offer, 0, 8))
    assert push(either, ["sends", "revenue"]).outcomes["revenue"].accepted == 8
    assert len(account.revenue) == 8
    with existing_ledger(either) as ledger:
        assert balances(ledger)["revenue"].agrees
