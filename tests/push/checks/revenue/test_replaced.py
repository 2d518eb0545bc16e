"""Revenue that was sent and has left its file: a new row of its message may be what it was corrected to."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from oracle import query

from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account
from pipelines.settings import Settings

REVENUE = ["revenue"]
Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]


@pytest.fixture
def sale(offer: str, have_sends: Callable[[Settings], None], settings: Settings) -> Row:
    """A sale of the first send; all sends are in the account, which has no revenue."""
    have_sends(settings)
    return {"message_id": "m000000", "offer_id": offer, "revenue": 5, "timestamp": "2024-06-01T00:00:00Z"}


def planned(settings: Settings) -> tuple[int, int, int, int]:
    """Of the files as they are now, how many rows are known, new, duplicate and parked."""
    found = plan_push(settings, REVENUE).plans["revenue"].intake
    return found.known, found.pending, found.duplicate, found.parked


def money(account: Account) -> list[float]:
    """What the account was given."""
    return sorted(row["revenue"] for row in account.revenue)


def codes(settings: Settings) -> list[str]:
    """Why rows of revenue are parked."""
    found = query(
        settings.warehouse, "SELECT code FROM imports.records WHERE in_input AND outcome = 'parked'"
    )
    return [code for (code,) in found]


def test_a_sent_row_that_was_changed_in_amount_and_time_waits(
    account: Account, settings: Settings, write: Write, sale: Row
) -> None:
    """One row has left the file and another of its message is new: held; what is added later is sent."""
    other = {**sale, "message_id": "m000001", "revenue": 7}
    changed = {**sale, "revenue": 31.5, "timestamp": "2024-06-02T00:00:00Z"}
    write("revenue.ndjson", [sale, other])
    push(settings, REVENUE)
    known = {**sale, "revenue": 8, "record_id": "r8"}
    write("revenue.ndjson", [changed, other, known])
    report = push(settings, REVENUE)
    assert report.outcomes["revenue"] == Outcomes(3, accepted=2, parked=1), "a record_id tells what is new"
    assert (codes(settings), money(account)) == (["replaced"], [5, 7, 8])
    assert planned(settings) == (2, 0, 0, 1), "and it waits on"
    copy = write("revenue-copy.ndjson", [{**changed, "record_id": "r9"}])
    once = push(settings, REVENUE, decision=Decision(Choice.ONCE, "a correction"))
    assert once.outcomes["revenue"] == Outcomes(4, accepted=2, duplicate=2), (
        "nor is one like it sent in its place"
    )
    copy.unlink()
    write("revenue-new.ndjson", [changed])
    write("revenue.ndjson", [other, known])
    assert planned(settings) == (2, 0, 1, 0), "a decision holds under another name"
    (settings.history / "revenue-new.ndjson").unlink()
    appended = {**sale, "revenue": 3, "timestamp": "2024-07-01T00:00:00Z"}
    write("revenue.ndjson", [changed, other, known, appended])
    assert planned(settings) == (2, 1, 1, 0)
    assert money(account) == [5, 7, 8]


def test_a_file_of_one_row_or_a_new_export_of_the_same_rows_is_seen_through(
    account: Account, settings: Settings, write: Write, sale: Row
) -> None:
    """The file was in the input when the row was sent, or holds others of its call under another name."""
    write("revenue-a.ndjson", [sale])
    push(settings, REVENUE)
    changed = {**sale, "revenue": 6, "timestamp": "2024-06-03T00:00:00Z"}
    write("revenue-a.ndjson", [changed])
    assert planned(settings) == (0, 0, 0, 1)
    others = [{**sale, "message_id": f"m00000{n}", "revenue": 10 + n} for n in (1, 2)]
    write("revenue-b.ndjson", others)
    count = push(settings, REVENUE, decision=Decision(Choice.COUNT, "another sale"))
    assert count.outcomes["revenue"] == Outcomes(3, accepted=3)
    (settings.history / "revenue-b.ndjson").unlink()
    write("revenue-c.ndjson", [others[0], {**others[1], "revenue": 20, "timestamp": "2024-06-09T00:00:00Z"}])
    assert planned(settings) == (2, 0, 0, 1)
    assert money(account) == [5, 6, 11, 12]


def test_a_sale_that_was_put_to_another_message_of_the_contact_waits(
    settings: Settings, write: Write, sale: Row, some_sends: Some
) -> None:
    """The same contact and amount, in a file that keeps what it had; not in one that has only what is new.

    So does one of another contact with the same time, as many as have left that file; a decision is kept.
    """
    sends = some_sends(30)
    other = next(row["id"] for row in sends if row["to_number"] != sends[0]["to_number"])
    write("sends.ndjson", [*sends, {**sends[0], "id": "again"}])
    stays, moved = (
        {**sale, "message_id": other, "revenue": 8},
        {**sale, "message_id": "again", "timestamp": "2024-06-02T00:00:00Z"},
    )
    write("revenue.ndjson", [sale, stays])
    push(settings, ["sends", "revenue"])
    write("revenue.ndjson", [moved, stays])
    assert planned(settings) == (1, 0, 0, 1)
    write("revenue.ndjson", [moved])
    assert planned(settings) == (0, 1, 0, 0)
    theirs = [
        {**sale, "message_id": row["id"]} for row in sends if row["to_number"] != sends[0]["to_number"]
    ][1:3]
    write("revenue.ndjson", [{**theirs[0], "timestamp": "2024-06-02T00:00:00Z"}, stays])
    assert planned(settings) == (1, 1, 0, 0), "of another contact and day"
    write("revenue.ndjson", theirs)
    assert planned(settings) == (0, 2, 0, 0), "a day's sales, in a file that only has what is new"
    write("revenue.ndjson", [stays])
    write("revenue-new.ndjson", theirs)
    assert planned(settings) == (1, 2, 0, 0), "in another file"
    old = (settings.history / "revenue.ndjson").rename(settings.history / "kept.txt")
    assert planned(settings) == (0, 2, 0, 0), "in a file that has none of what was sent"
    write("revenue-new.ndjson", [stays, *theirs])
    assert planned(settings) == (1, 1, 0, 1), "in one that took the place of the old one"
    old.rename(settings.history / "revenue.ndjson")
    (settings.history / "revenue-new.ndjson").unlink()
    write("revenue.ndjson", [*theirs, stays])
    assert planned(settings) == (1, 1, 0, 1), "as many as have left"
    more = {**sale, "revenue": 9, "timestamp": "2024-07-01T00:00:00Z"}
    write("revenue.ndjson", [theirs[0], stays, more])
    assert planned(settings) == (1, 0, 0, 2), "either of the two may be the one that has left"
    write("revenue.ndjson", [theirs[0], stays])
    once = push(settings, REVENUE, decision=Decision(Choice.ONCE, "put to the right message"))
    assert once.outcomes["revenue"] == Outcomes(2, accepted=1, duplicate=1)
    write("revenue.ndjson", [*theirs, stays])
    assert planned(settings) == (1, 1, 1, 0), "what has left was decided about"
    for path in (settings.parquet_dir / "imports" / "revenue").glob("*.parquet"):
        path.unlink()
    assert planned(settings) == (1, 1, 1, 0), "a decision holds without the archive"


def new_exports(old: list[Row], offer: str) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """Exports of the same people: those that only correct what an old one said, and those with sales of their own."""

    def each(**changed: Callable[[Row], Any]) -> list[Row]:
        return [{**row, **{name: of(row) for name, of in changed.items()}} for row in old]

    shifted = {"timestamp": lambda row: row["timestamp"].replace("T08", "T13")}
    dearer = {"revenue": lambda row: row["revenue"] * 2 + 1}
    renamed = {"message_id": lambda row: f"b-{row['message_id']}"}
    numbered = {"record_id": lambda row: f"b-{row['message_id']}"}
    other_offer = {"offer_id": lambda _: offer}
    july = {"timestamp": lambda row: row["timestamp"].replace("-06-", "-07-")}
    rebilled = each(**july, **dearer)
    corrected = {
        "offer": each(**other_offer),
        "offer-and-amount": each(**other_offer, **dearer),
        "time-and-amount": each(**shifted, **dearer),
        "ids": each(**renamed, **numbered),
        "ids-and-offer": each(**renamed, **other_offer),
    }
    fresh = {
        "next-month-same-amounts": each(**july, **renamed),
        "half-of-them-again": rebilled[:2],
        "rebills-among-others": [*rebilled[:2], *each(**july, **renamed)[2:]],
        "rebills-and-record-ids": each(**july, **dearer, **numbered),
    }
    return corrected, fresh


def test_a_corrected_export_under_another_name_waits_and_the_next_months_does_not(
    account: Account, settings: Settings, write: Write, sale: Row, some_sends: Some
) -> None:
    """By what the new file says of the old one's messages and contacts; the plan and the push agree.

    Each case is a file of its own, which takes the place of one about the same four people.
    """
    offer = next(
        row["id"] for row in account.offers if row["status"] == "active" and row["id"] != sale["offer_id"]
    )
    cases = [name for exports in new_exports([], offer) for name in exports]
    people = list({row["to_number"]: row for row in some_sends(40)}.values())[: 4 * len(cases)]
    assert len(people) == 4 * len(cases)
    write("sends.ndjson", people + [{**row, "id": f"b-{row['id']}"} for row in people])
    olds = {}
    for place, case in enumerate(cases):
        olds[case] = [
            {
                **sale,
                "message_id": row["id"],
                "revenue": 5 + n % 3,
                "timestamp": f"2024-06-{n + 1:02}T08:00:00Z",
            }
            for n, row in enumerate(people[4 * place : 4 * place + 4], start=4 * place % 24)
        ]
        first, *others = olds[case]
        write(f"revenue-06-{case}.ndjson", [{**first, "record_id": first["message_id"]}, *others])
    push(settings, ["sends", "revenue"])
    for path in settings.history.glob("revenue-06-*"):
        path.unlink()
    waiting = {}
    for case, old in olds.items():
        corrected, fresh = new_exports(old, offer)
        rows = (corrected | fresh)[case]
        write(f"revenue-07-{case}.ndjson", rows)
        waiting[f"revenue-07-{case}.ndjson"] = len(rows) if case in corrected else 0
    found = plan_push(settings, REVENUE).plans["revenue"].files
    assert {file.path.name: sum(group.rows for group in file.groups) for file in found} == waiting
    for path in settings.history.glob("revenue-07-*"):
        path.unlink()
    before, (exports, _) = money(account), new_exports(olds["ids"], offer)
    write("revenue-07.ndjson", exports["ids"][:2] + exports["time-and-amount"][2:])
    assert planned(settings) == (0, 2, 0, 2), "half a file is not taken for the whole"
    write("revenue-07.ndjson", exports["ids"])
    report = push(settings, REVENUE)
    assert (report.outcomes["revenue"], set(codes(settings))) == (Outcomes(4, parked=4), {"replaced"})
    push(settings, REVENUE, decision=Decision(Choice.ONCE, "prefixed"))
    for path in (settings.parquet_dir / "imports" / "revenue").glob("*.parquet"):
        path.unlink()
    assert planned(settings) == (0, 0, 4, 0), "a decision holds without the archive"
    assert money(account) == before


def test_what_a_ledger_has_taken_over_waits_for_a_decision_too(
    account: Account, settings: Settings, write: Write, sale: Row
) -> None:
    """It knows no digests, files and contacts of such rows, and perhaps no amounts; what is new is sent."""
    old = [{**sale, "message_id": f"m{n:06}", "timestamp": f"2024-06-{n + 1:02}T08:00:00Z"} for n in range(6)]
    numbered = [{**row, "record_id": f"r{row['message_id']}"} for row in old]
    dearer = [{**row, "revenue": 9.5, "timestamp": "2024-06-20T08:00:00Z"} for row in old]
    other = [
        {**row, "message_id": f"m{n + 12:06}", "timestamp": "2024-07-01T08:00:00Z"}
        for n, row in enumerate(old)
    ]
    write("revenue-06.ndjson", old)
    push(settings, REVENUE)
    for path in settings.data_dir.glob("ledger.db*"):
        path.unlink()
    adopt(settings)
    push(settings, ["sends"])
    write("revenue-07.ndjson", numbered + other)
    assert planned(settings) == (6, 6, 0, 6), "like what was sent and is still there"
    (settings.history / "revenue-06.ndjson").unlink()
    for rows in (numbered, dearer):
        write("revenue-07.ndjson", rows)
        assert planned(settings) == (0, 0, 0, 6)
    write("revenue-07.ndjson", other)
    assert planned(settings) == (0, 6, 0, 0)
    with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE push_rows SET amount = NULL WHERE dataset = 'revenue'")
    write("revenue-07.ndjson", numbered + other)
    assert planned(settings) == (0, 6, 0, 6), "an amount that is not known may be any"
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(12, accepted=6, parked=6)
    assert money(account) == [5] * 12
