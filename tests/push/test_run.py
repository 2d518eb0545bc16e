"""Pushes from files into an account over HTTP; the account's own state is the oracle."""

import csv
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.errors import AccessError, BusyError, ServiceError, StorageError, UsageError
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.ledger.lock import push_lock
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import PushReport, intake, push, send
from pipelines.push.run import plan as plan_push
from pipelines.sandbox import Account, Fault, Server, write_history
from pipelines.settings import Settings

ALL = ["sends", "clicks", "revenue"]
Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]


def books(settings: Settings) -> dict[str, Counter[str]]:
    """imports.records, counted: outcomes of the rows of the current input by dataset."""
    query = "SELECT dataset, outcome, count(*) FROM imports.records WHERE in_input GROUP BY ALL"
    found: dict[str, Counter[str]] = {name: Counter() for name in ALL}
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        for dataset, outcome, rows in connection.execute(query).fetchall():
            found[dataset][outcome] = rows
    return found


def write_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def check(settings: Settings, report: PushReport) -> None:
    """The report, the ledger and the warehouse tell the same, and it adds up."""
    shown = outcomes(settings)
    for name, of in report.outcomes.items():
        assert shown[name] == of
        counts = {key: value for key, value in asdict(of).items() if value and key != "rows_in"}
        assert books(settings)[name] == Counter(counts)


def test_a_history_arrives_once_and_a_second_push_sends_nothing(
    account: Account, settings: Settings, posted: Callable[[], int]
) -> None:
    """Every good row is in the account once, every bad one has a reason, and another push posts nothing.

    A plan before it tells what would be done, and nothing is written or sent; one after it has nothing to do.
    """
    before = sum(Decimal(str(row["revenue"])) for row in account.revenue)
    export = write_history(account, settings.history, sends=1_250)
    plans = plan_push(settings, ALL).plans
    assert [path.name for path in settings.data_dir.iterdir()] == ["history"]
    assert posted() == 0
    sends, clicks = plans["sends"], plans["clicks"]
    assert (sends.chunks, sends.intake.pending, sends.intake.quarantined) == (2, 1251, 2)
    assert (clicks.intake.pending, clicks.intake.parked) == (251, 1)
    assert len(json.loads(sends.first_payload)["records"]) == 1000

    report = push(settings, ALL)
    check(settings, report)
    assert report.outcomes == {
        "sends": Outcomes(1254, accepted=1250, duplicate=1, quarantined=2, rejected=1),
        "clicks": Outcomes(253, accepted=250, duplicate=1, rejected=1, parked=1),
        "revenue": Outcomes(66, accepted=63, duplicate=1, quarantined=1, parked=1),
    }
    assert (len(account.sends), len(account.clicks)) == (1250, 250)
    after = sum(Decimal(str(row["revenue"])) for row in account.revenue)
    assert (after - before) * 10_000 == export.revenue
    assert reconcile(settings).agrees
    calls = posted()
    again = push(settings, ALL)
    assert (posted(), again.outcomes) == (calls, report.outcomes)
    check(settings, again)
    assert [plan.chunks for plan in plan_push(settings, ALL).plans.values()] == [0, 0, 0]


def test_input_may_change_between_pushes(
    account: Account, settings: Settings, history: Path, write: Write, some_sends: Some, offer: str
) -> None:
    """Rows are known by identity: moved to other files and formats, in another order, they are not sent again.

    Where no file is left, what was sent stays on record.
    """
    rows = some_sends(150)
    write("sends.ndjson", rows[:120])
    push(settings, ["sends"])
    (history / "sends.ndjson").unlink()
    random.Random(1).shuffle(rows)
    write("sends-a.jsonl", rows[:70])
    duckdb.read_json(str(write("x.json", rows[70:]))).write_parquet(str(history / "sends-b.parquet"))
    report = push(settings, ["sends"])
    check(settings, report)
    assert report.outcomes["sends"] == Outcomes(150, accepted=150)
    assert sum(request.records or 0 for request in account.log) == 150
    (history / "sends-b.parquet").unlink()
    assert push(settings, ["sends"]).outcomes["sends"] == Outcomes(70, accepted=70)
    assert books(settings)["sends"] == {"accepted": 70}
    write("sends-a.jsonl", [{**row, "id": f"x{row['id']}"} for row in rows[:10]])  # none of them is
    assert push(settings, ["sends"]).outcomes["sends"] == Outcomes(10, accepted=10)
    assert books(settings)["sends"] == {"accepted": 10}
    assert len(account.sends) == 160
    (history / "sends-a.jsonl").unlink()
    click = {"message_id": rows[0]["id"], "offer_id": offer, "phone_number": rows[0]["to_number"]}
    write("clicks.ndjson", [click | {"timestamp": "2024-05-03"}])
    report = push(settings, ALL)
    check(settings, report)
    empty = Outcomes(0)
    assert report.outcomes == {"sends": empty, "clicks": Outcomes(1, accepted=1), "revenue": empty}
    kept = "SELECT outcome, in_input, count(*) FROM imports.records WHERE dataset = 'sends' GROUP BY ALL"
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        assert connection.execute(kept).fetchall() == [("accepted", False, 160)]
    (history / "clicks.ndjson").unlink()
    write("sends-a.jsonl", rows)  # all are back
    assert push(settings, ALL).outcomes["sends"] == Outcomes(150, accepted=150)
    assert len(account.sends) == 160


def test_errors_beyond_the_cap_are_all_attributed_and_revenue_is_never_sent_again(
    account: Account, settings: Settings, write: Write, some_sends: Some, offer: str
) -> None:
    """With more failures than an answer names, every row still gets its own outcome, whatever the status.

    Each other status is in trackly/test_client_post. Revenue goes in chunks of which every error is named, so that
    none is in doubt, and none goes twice.
    """
    account.options.partial_status = 422
    account.revenue.clear()
    sends = some_sends(1500)
    bad = {row["id"] for row in sends[::3]}
    good = [row["id"] for row in sends if row["id"] not in bad][:600]

    def refuse(_: str, record: Row) -> tuple[str, str] | None:
        if record.get("revenue", 99) < 40:
            return "contact_not_found", "No"
        return ("list_not_found", "No such list") if record.get("id") in bad else None

    account.refuse = refuse
    write("sends.ndjson", sends)
    sales = [{"message_id": name, "offer_id": offer, "revenue": n / 8} for n, name in enumerate(good)]
    write("revenue.ndjson", sales)
    report = push(settings, ["sends", "revenue"])
    check(settings, report)
    assert report.outcomes["sends"] == Outcomes(1500, accepted=1000, rejected=500)
    assert set(account.sends) == {row["id"] for row in sends} - bad
    assert report.reasons["sends"] == {"rejected: its list is not in the account (list_not_found)": 500}
    assert report.outcomes["revenue"] == Outcomes(600, accepted=280, rejected=320)
    assert sorted(row["revenue"] for row in account.revenue) == [n / 8 for n in range(320, 600)]


def test_small_pushes(
    account: Account, settings: Settings, server: Server, history: Path, write: Write, some_sends: Some,
    offer: str,
) -> None:  # fmt: skip
    """Fields arrive as they were given; the earliest click wins; a click waits for its send, and goes by itself.

    What the account had before is a duplicate, and its clicks are not held back. Equal revenue without an id counts
    as often as it stands, also where an answer was lost: it is settled by reading, and nothing is sent again.
    """
    account.revenue.clear()
    optional = {
        "message": 'a\n"b" \u00e9\U0001f600',
        "delivered": False,
        "length": 7,
        "send_type": "campaign",
    }
    given, clicked, had, later = some_sends(4)
    given |= optional
    account.sends[had["id"]] = {**had, "list_id": 1}
    write_csv(history / "sends.csv", [given])
    write("sends.ndjson", [clicked, had])
    click = {"offer_id": offer, "phone_number": "+15551234567"}
    times = ["2024-05-03T00:00:00", "2024-05-02T02:00:00+02:00", "2024-05-02T01:00:00Z"]
    write(
        "clicks.ndjson",
        [
            *({**click, "message_id": clicked["id"], "timestamp": time} for time in times),
            {**click, "message_id": had["id"], "timestamp": "2024-05-03"},
            {**click, "message_id": later["id"], "timestamp": "2024-05-03"},
        ],
    )
    sale = {"message_id": clicked["id"], "offer_id": offer, "revenue": 0.1}
    write("revenue.ndjson", [sale] * 3)
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    first = push(settings, ALL)
    check(settings, first)
    assert first.outcomes["sends"] == Outcomes(3, accepted=2, duplicate=1)
    stored = account.sends[given["id"]]
    assert {name: stored[name] for name in given} == given
    assert first.outcomes["clicks"] == Outcomes(5, accepted=2, duplicate=2, parked=1)
    assert account.clicks[clicked["id"]]["timestamp"] == "2024-05-02T00:00:00Z"
    assert set(account.clicks) == {clicked["id"], had["id"]}
    assert first.reasons["clicks"]["parked: message_id: no send of this id is in the account through us"] == 1
    assert first.outcomes["revenue"] == Outcomes(3, accepted=3)
    assert len(account.revenue) == 3
    write("sends.ndjson", [clicked, had, later])
    write("revenue.ndjson", [sale] * 4)
    second = push(settings, ALL)
    assert second.outcomes["clicks"] == Outcomes(5, accepted=3, duplicate=2)
    assert set(account.clicks) == {clicked["id"], had["id"], later["id"]}
    assert second.outcomes["revenue"] == Outcomes(4, accepted=4)
    assert len(account.revenue) == 4


@pytest.mark.parametrize("either", ["postgresql"], indirect=True)  # SQLite keeps it
def test_a_nul_character_holds_up_no_other_row(
    account: Account, either: Settings, some_sends: Some, offer: str
) -> None:
    """Neither one in a row, which PostgreSQL cannot keep, nor one in the words of an answer."""
    either.history.mkdir(parents=True, exist_ok=True)
    rows = some_sends(3)
    rows[0]["id"] = "m\0"
    sale = {"offer_id": offer, "revenue": 5, "timestamp": "2024-06-01T00:00:00Z"}
    sales = [{**sale, "message_id": "m000001", "record_id": name} for name in ("r\0", "r1")]
    for name, some in (("sends", rows), ("revenue", sales)):
        (either.history / f"{name}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in some))
    account.refuse = lambda _, row: ("invalid_phone", "No\0") if row.get("id") == "m000002" else None
    report = push(either, ["sends", "revenue"])
    assert report.outcomes["sends"] == Outcomes(3, accepted=1, rejected=1, quarantined=1)
    assert report.outcomes["revenue"] == Outcomes(2, accepted=1, quarantined=1)


def test_failures_that_may_pass_are_tried_again(
    account: Account, settings: Settings, write: Write, some_sends: Some
) -> None:
    """A record that failed on the server's side is sent again, within bounds."""
    seen: Counter[str] = Counter()

    def refuse(_: str, record: Row) -> tuple[str, str] | None:
        seen[record["id"]] += 1
        number = int(record["id"][1:])
        return (
            ("save_error", "Try later")
            if number % 50 == 0 and seen[record["id"]] <= 1 + number % 100
            else None
        )

    account.refuse = refuse
    write("sends.ndjson", some_sends(200))
    report = push(settings, ["sends"])
    check(settings, report)
    assert report.outcomes["sends"] == Outcomes(200, accepted=198, rejected=2)
    assert max(seen.values()) == 4
    assert set(account.sends) == {f"m{n:06}" for n in range(200)} - {"m000050", "m000150"}


def test_sends_survive_lost_answers_and_progress_is_reported(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some
) -> None:
    """Sends whose answer was lost are there once, and accepted.

    Progress ends at all of the rows, and is shown on the caller's own thread.
    """
    server.faults.active.append(Fault("reset-after", path="sends", times=1))
    write("sends.ndjson", some_sends(1200))
    shown: list[tuple[str, int, int]] = []
    threads = set()

    def note(*what: Any) -> None:
        shown.append(what)
        threads.add(threading.get_ident())

    report = push(settings, ["sends"], on_progress=note)
    assert report.outcomes["sends"] == Outcomes(1200, accepted=1200)
    assert len(account.sends) == 1200
    assert shown[-1] == ("sends", 1200, 1200)
    assert threads == {threading.get_ident()}


def test_a_push_that_cannot_reach_the_service_or_is_stopped_goes_on_where_it_was(
    account: Account, settings: Settings, settings_of: Callable[..., Settings], write: Write, some_sends: Some
) -> None:
    """Nothing is lost or rejected when the service cannot be reached.

    When the access ends in the middle, what was not sent is pending, and a later push sends that only.
    """
    write("sends.ndjson", some_sends(3500))
    away = settings_of("http://127.0.0.1:9/api/v2", settings.data_dir, retry_seconds=0.0)
    with pytest.raises(ServiceError):
        push(away, ["sends"])
    assert outcomes(settings)["sends"] == Outcomes(3500, pending=3500)

    def suspend(number: int, of: Account) -> None:
        of.suspended = number >= 3

    account.before_request = suspend
    with pytest.raises(AccessError):
        push(settings, ["sends"])
    stopped = outcomes(settings)["sends"]
    assert stopped == Outcomes(3500, accepted=len(account.sends), pending=3500 - len(account.sends))
    assert books(settings)["sends"] == Counter(accepted=stopped.accepted, pending=stopped.pending)
    assert min(stopped.accepted, stopped.pending) > 0
    account.before_request, account.suspended = None, False
    sent = sum(request.records or 0 for request in account.log if request.status == 200)
    assert push(settings, ["sends"]).outcomes["sends"] == Outcomes(3500, accepted=3500)
    assert sum(request.records or 0 for request in account.log if request.status == 200) - sent == 3500 - sent


def test_the_halves_do_what_the_whole_does(account: Account, settings: Settings) -> None:
    """Intake of everything, then sending dataset by dataset, is a push."""
    write_history(account, settings.history, sends=600)
    found = intake(settings, ALL)
    assert found["sends"].pending == 601
    assert found["clicks"].parked == 122
    assert outcomes(settings)["sends"].pending == 601
    for name in ALL:
        assert send(settings, [name])[name].pending == 0
    assert (len(account.sends), len(account.clicks)) == (600, 120)


def test_nothing_is_sent_before_all_files_are_known_to_be_usable(
    settings: Settings, write: Write, some_sends: Some, posted: Callable[[], int]
) -> None:
    """A file that cannot be used stops the push before its first request."""
    write("sends.ndjson", some_sends(5))
    write("revenue.ndjson", [{"message": "x"}])
    with pytest.raises(UsageError, match=r"revenue\.ndjson"):
        push(settings, ALL)
    assert posted() == 0


def test_two_pushes_at_once(settings: Settings, write: Write, some_sends: Some) -> None:
    """While a push is under way another one is refused."""
    write("sends.ndjson", some_sends(1))
    with push_lock(settings.data_dir), pytest.raises(BusyError):
        push(settings, ["sends"])


def test_a_folder_that_cannot_be_written_is_named(
    settings: Settings, write: Write, some_sends: Some, posted: Callable[[], int]
) -> None:
    """Where the stage cannot be written the error says where, and nothing is sent."""
    write("sends.ndjson", some_sends(1))
    (settings.data_dir / "push").write_text("a file in the way")
    with pytest.raises(StorageError, match="push"):
        push(settings, ["sends"])
    assert posted() == 0


def test_bodies_stay_within_the_limit(
    account: Account, settings: Settings, history: Path, some_sends: Some
) -> None:
    """Long messages make smaller chunks, and a record that fits no request is quarantined."""
    rows = [{**row, "message": "\u00e9" * 6_000} for row in some_sends(500)]
    write_csv(history / "sends.csv", [*rows, {**rows[0], "id": "huge", "message": "x" * 5_100_000}])
    report = push(settings, ["sends"])
    check(settings, report)
    assert report.outcomes["sends"] == Outcomes(501, accepted=500, quarantined=1)
    assert sorted(request.records or 0 for request in account.log) == [88, 412]
