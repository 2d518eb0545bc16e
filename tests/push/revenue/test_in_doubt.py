"""Revenue without an answer, in whole pushes: what the contacts' totals tell of it, and what a person has to."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from histories import write_rows
from oracle import query

from pipelines.errors import DataError, StorageError, UsageError
from pipelines.pull.run import pull
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.push.resolve import in_doubt, resolve
from pipelines.push.run import push
from pipelines.sandbox import Account, Fault, Server, parse_fault
from pipelines.settings import Settings

Row = dict[str, Any]
Key = tuple[str, int]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]
BOTH, REVENUE = ["sends", "revenue"], ["revenue"]


def strangers(rows: list[Row], number: int) -> list[Row]:
    """Some of the sends, no two of them to one phone number."""
    return list({row["to_number"]: row for row in rows}.values())[:number]


def stored(account: Account) -> Counter[str]:
    return Counter(row["message_id"] for row in account.revenue)


def sales(rows: list[Row], offer: str, amounts: list[str]) -> list[Row]:
    return [
        {
            "message_id": row["id"],
            "offer_id": offer,
            "revenue": amounts[n % len(amounts)],
            "timestamp": "2024-06-01T00:00:00Z",
        }
        for n, row in enumerate(rows)
    ]


def key_of(account: Account, send: Row) -> Key:
    """Who a send went to."""
    found = next(int(row["id"]) for row in account.lists if row["phone_number"] == send["list_number"])
    return send["to_number"], found


def contact_of(account: Account, send: Row) -> Row:
    contact = account.contact(key_of(account, send))
    assert contact
    return contact


EVERY_WAY = ["half", "reset-before", "reset-after", "truncate", "html", "shape", "zeros", "502"]


def quote(_: int, account: Account) -> None:
    """Have an account write amounts in quotes."""
    for contact in account.contacts():
        contact["revenue_total"] = str(contact["revenue_total"])


def test_every_way_to_lose_an_answer_is_settled(
    account: Account,
    settings: Settings,
    server: Server,
    write: Write,
    some_sends: Some,
    offer: str,
    many_sends: int,
) -> None:
    """However the answers of one push are lost, in the end each row is there once and accepted.

    The first one is that of the first small call, of which half was done: it has no two rows of a contact, so that
    the contacts' totals tell which half.
    """
    assert many_sends > 1_200
    account.before_request = quote
    write("revenue.ndjson", sales(rows := some_sends(1_200), offer, ["1", "2.5"]))
    server.faults.active += [
        Fault(way, method="POST", path="revenue", skip=2 * n, times=1) for n, way in enumerate(EVERY_WAY)
    ]  # every second call
    report = push(settings, REVENUE)
    assert report.outcomes["revenue"] == Outcomes(1_200, accepted=1_200)
    with open_ledger(settings) as ledger:
        calls = [call for call in ledger.chunks() if call["dataset"] == "revenue"]
    assert calls[0]["rows"] == 50
    lost = sum(call["state"] == "lost" for call in calls)
    assert lost == len(EVERY_WAY) - 1, "counters that are all 0 are an answer"
    settled = "FROM imports.records WHERE code = 'settled'"
    why = query(
        settings.warehouse, f"SELECT DISTINCT reason, starts_with(evidence, 'beyond what was') {settled}"
    )
    assert why == [("the contact's totals have it", True)]  # one cause, whatever its contact's figures
    ((counted,),) = query(settings.warehouse, f"SELECT count(*) {settled}")
    by_reason = {text: rows for text, rows in report.reasons["revenue"].items() if "(settled)" in text}
    assert by_reason == {"accepted: the contact's totals have it (settled)": counted}
    assert stored(account) == Counter(row["id"] for row in rows)


def test_calls_of_one_row_are_settled_also_where_it_counts_on_every_list_of_a_number(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """One whose counters are all 0 says neither that it was taken in nor that it was refused.

    Three sales of a contact go one by one. The second is lost: what the other list has of the first, which was
    accepted, does not stand for it. The third is counted as nothing, like the only send and the only click.
    """
    account.revenue.clear()
    write("sends.ndjson", rows := some_sends(1))
    click = {"message_id": "m000000", "offer_id": offer, "phone_number": rows[0]["to_number"]}
    write("clicks.ndjson", [{**click, "timestamp": "2024-06-01T00:00:00Z"}])
    write("revenue.ndjson", sales(rows * 3, offer, ["5"]))
    here = contact_of(account, rows[0])
    other = next(item["id"] for item in account.lists if item["id"] != here["list_id"])
    account.add_contact({**here, "list_id": other, "list_number": None})

    def count_on_both(_: int, account: Account) -> None:
        there = account.contact((rows[0]["to_number"], other))
        assert there
        there.update({name: here[name] for name in ("revenue_total", "conversion_count")})

    account.before_request = count_on_both
    faults = server.faults.active
    faults.extend(Fault("zeros", method="POST", path=path, times=1) for path in ("sends", "clicks"))
    faults.append(Fault("reset-before", method="POST", path="revenue", skip=1, times=1))
    faults.append(Fault("zeros", method="POST", path="revenue", skip=2, times=1))
    report = push(settings, ["sends", "clicks", *REVENUE])
    assert [of.accepted for of in report.outcomes.values()] == [1, 1, 3]
    assert [one.records for one in account.log if one.path == "/history/revenue"] == [1, None, 1, 1], (
        "None: lost"
    )
    assert stored(account) == {"m000000": 3}


@pytest.mark.usefixtures("many_sends")
def test_what_totals_cannot_tell_stays_in_doubt_with_its_evidence(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """Of one call that was stored without an answer, whatever happened to the contacts: nothing is sent again.

    Other revenue hides a row; a contact was deleted; one was deleted and is there again with totals of 0, which do
    not show the row to be absent. Beside them a row that nothing happened to is accepted.
    """
    write("revenue.ndjson", sales(rows := strangers(some_sends(20), 4), offer, ["5"]))
    hidden, gone, again, plain = rows
    contact_of(account, again).update(revenue_total=0.0, conversion_count=0)
    empty = dict(contact_of(account, again))
    happened: list[int] = []

    def live(_: int, account: Account) -> None:
        if len(account.revenue) == len(rows) and not happened:
            happened.append(1)
            contact = contact_of(account, hidden)
            contact["revenue_total"] += 7.25
            contact["conversion_count"] += 1
            account.remove_contact(key_of(account, gone))
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
            account.add_contact({**empty, "signup_date": at})

    account.before_request = live
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    for _ in range(2):
        report = push(settings, REVENUE)
        assert report.outcomes["revenue"] == Outcomes(4, accepted=1, in_doubt=3)
    assert stored(account) == Counter(row["id"] for row in rows)
    shown = query(
        settings.warehouse,
        "SELECT message_id, code FROM imports.records WHERE outcome = 'in_doubt' ORDER BY ALL",
    )
    assert shown == sorted(
        [
            (hidden["id"], "ambiguous"),
            (gone["id"], "contact_gone"),
            (again["id"], "contact_gone"),
        ]
    )
    assert plain["id"] not in dict(shown)
    evidence = {doubt.message_id: doubt.evidence for doubt in in_doubt(settings)}
    assert "2 conversions and 12.25 " in evidence[hidden["id"]]
    assert "signed up again" in evidence[again["id"]]
    assert "in_doubt: its contact is no longer in the account (contact_gone)" in report.reasons["revenue"]


@pytest.mark.usefixtures("many_sends")
def test_a_contact_that_cannot_be_read_is_not_taken_for_one_that_is_not_there(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """Totals that are null say nothing, so that nothing is sent again."""
    write("revenue.ndjson", sales(rows := some_sends(1), offer, ["5"]))
    contact = contact_of(account, rows[0])
    total = contact["revenue_total"]

    def hide(_: int, __: Account) -> None:
        contact["revenue_total"] = None

    def show(_: str, __: Row) -> None:
        contact["revenue_total"] = total

    account.before_request, account.refuse = hide, show
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    report = push(settings, REVENUE)
    assert report.outcomes["revenue"] == Outcomes(1, in_doubt=1)
    assert [doubt.code for doubt in in_doubt(settings)] == ["no_reading"]
    assert len(account.revenue) == 1


@pytest.mark.usefixtures("many_sends")
@pytest.mark.parametrize("busy", [False, True])
def test_a_contact_that_is_claimed_and_not_served_is_not_taken_for_one_that_is_not_there(
    account: Account,
    settings: Settings,
    server: Server,
    write: Write,
    some_sends: Some,
    offer: str,
    busy: bool,
) -> None:
    """Every reading misses it and is one contact short of the total, which no change of the account explains."""
    write("revenue.ndjson", sales(rows := some_sends(1), offer, ["5"]))
    key, contact = key_of(account, rows[0]), contact_of(account, rows[0])

    def hide(number: int, of: Account) -> None:
        of.remove_contact(key)
        if busy:
            newest = of.contact_page(0, 1)[0]
            of.add_contact({**newest, "phone_number": f"+1999{number:07}"})

    def show(_: str, __: Row) -> None:
        account.add_contact(contact)

    account.before_request, account.refuse = hide, show
    server.faults.active.append(parse_fault("more,value=1,path=contacts"))
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    report = push(settings, REVENUE)
    assert [doubt.code for doubt in in_doubt(settings)] == ["no_reading"]
    assert report.outcomes["revenue"] == Outcomes(1, in_doubt=1)
    assert len(account.revenue) == 1


def test_revenue_of_which_too_few_errors_were_named_ends_with_an_outcome(
    account: Account, settings: Settings, write: Write, some_sends: Some, offer: str, many_sends: int
) -> None:
    """What the answer does not tell the totals do, and the rest goes again in calls that name every error.

    Of three calls of 150 all rows fail, more of them than are named, and none.
    """
    every = some_sends(many_sends)
    numbers = {row["to_number"] for row in strangers(every, 150)}  # a call has one row of each
    rows = [row for row in every if row["to_number"] in numbers][:450]
    bad = {row["id"] for row in rows[:270]}
    write("revenue.ndjson", sales(rows, offer, ["5", "2"]))
    pull(settings, ["offers"], "first")  # so that rows are not taken for risky
    account.refuse = lambda _, row: ("offer_not_found", "No offer") if row["message_id"] in bad else None
    report = push(settings, REVENUE)
    assert next(one.records for one in account.log if one.path == "/history/revenue") == 150
    assert report.outcomes["revenue"] == Outcomes(450, accepted=180, rejected=270)
    assert stored(account) == Counter(row["id"] for row in rows[270:])


@pytest.mark.parametrize("either", ["postgresql"], indirect=True)  # SQLite in audit/lost_ledger/test_adopt.py
def test_a_person_settles_what_no_reading_can(
    account: Account, either: Settings, server: Server, some_sends: Some, offer: str
) -> None:
    """Rows in doubt are accepted, or sent again, or left out by a person's word, which is kept."""
    account.revenue.clear()
    write_rows(either.history / "sends.ndjson", rows := strangers(some_sends(9), 3))
    write_rows(
        either.history / "revenue.ndjson",
        [{**row, "record_id": row["message_id"]} for row in sales(rows, offer, ["5"])],
    )

    def delete(_: int, account: Account) -> None:
        if account.revenue:
            for row in rows:
                account.remove_contact(key_of(account, row))

    account.before_request = delete
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    push(either, BOTH)
    assert {(doubt.identity, doubt.code) for doubt in in_doubt(either)} == {
        (f"record:{row['id']}", "contact_gone") for row in rows
    }
    first, second, third = (f"record:{row['id']}" for row in rows)
    with pytest.raises(DataError, match="record:none"):
        resolve(either, [first, "record:none"], Outcome.ACCEPTED, "seen")
    with pytest.raises(UsageError, match="reason"):
        resolve(either, [first], Outcome.ACCEPTED, " ")
    assert outcomes(either)["revenue"].in_doubt == 3
    resolve(either, [first], Outcome.ACCEPTED, "seen in the account")
    resolve(either, [second], Outcome.REJECTED, "not wanted")
    ((version,),) = query(either.warehouse, "SELECT version FROM sync.version")
    with duckdb.connect(str(either.warehouse)) as connection:
        connection.execute("UPDATE sync.version SET version = 999")
    with pytest.raises(StorageError, match=r"^The ledger has what was decided.*newer Trackly Sync"):
        resolve(either, [third], Outcome.PENDING, "it is not there")
    with duckdb.connect(str(either.warehouse)) as connection:
        connection.execute("UPDATE sync.version SET version = ?", [version])
    assert outcomes(either)["revenue"] == Outcomes(3, accepted=1, rejected=1, pending=1)
    report = push(either, BOTH)
    assert report.outcomes["revenue"] == Outcomes(3, accepted=1, rejected=2)  # the contact is not there
    assert query(
        either.warehouse, "SELECT identity, outcome, reason FROM imports.resolutions ORDER BY identity"
    ) == [
        (first, "accepted", "seen in the account"),
        (second, "rejected", "not wanted"),
        (third, "pending", "it is not there"),
    ]
