"""Keys that occur several times: equal rows are duplicates, rows that differ are held back."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from effort import examples
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from oracle import query

from pipelines.errors import UsageError
from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.ledger.status import differing, outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.resolve import acknowledge_differing, differing_rows
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account, running, seed_account
from pipelines.settings import Settings

ALL = ["sends", "clicks", "revenue"]
REVENUE = ["revenue"]
Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]


def held(settings: Settings, code: str) -> list[tuple[str, int, str]]:
    """Name of the file, row and reason of what is held back for this code."""
    found = query(
        settings.warehouse,
        "SELECT file, row, reason FROM imports.records WHERE in_input AND code = ? ORDER BY file, row",
        code,
    )
    return [(Path(file).name, row, reason) for file, row, reason in found]


def test_one_key_with_other_content_is_held_back_whole(
    account: Account, either: Settings, some_sends: Some
) -> None:
    """All rows of the key are quarantined with both places; equal ones are duplicates; the others are sent."""
    either.history.mkdir(parents=True, exist_ok=True)
    rows = some_sends(5)
    other = {**rows[1], "message": "another"}
    for name, some in (("sends-a", rows), ("sends-b", [rows[0], other, rows[3], other])):
        (either.history / f"{name}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in some))
    report = push(either, ["sends"])
    assert report.outcomes["sends"] == Outcomes(9, accepted=4, duplicate=2, quarantined=3)
    assert set(account.sends) == {"m000000", "m000002", "m000003", "m000004"}
    found = held(either, "conflict")
    assert [(name, row) for name, row, _ in found] == [
        ("sends-a.ndjson", 2), ("sends-b.ndjson", 2), ("sends-b.ndjson", 4)
    ]  # fmt: skip
    for _, _, reason in found:
        assert "sends-a.ndjson" in reason
        assert "sends-b.ndjson" in reason
        assert "another" not in reason
    assert report.reasons["sends"] == {
        "quarantined: id: rows that differ have the same id": 3,
        "duplicate: the input repeats it: a row before it has the same id": 2,
    }


def test_two_exports_that_number_from_1_are_found_before_anything_is_sent(
    account: Account, settings: Settings, write: Write, some_sends: Some
) -> None:
    """Nothing of either is sent, also not what only the longer one has; prefixed, all of it arrives."""
    rows = some_sends(55)
    first = [{**row, "id": str(n)} for n, row in enumerate(rows[:30], 1)]
    second = [{**row, "id": str(n)} for n, row in enumerate(rows[30:], 1)]
    write("sends-eu.ndjson", first)
    write("sends-us.ndjson", second)
    report = push(settings, ["sends"])
    assert report.outcomes["sends"] == Outcomes(55, quarantined=50, parked=5)
    (advice,) = report.intakes["sends"].advice
    assert "sends-eu.ndjson and sends-us.ndjson use the same id" in advice
    assert not account.sends
    write("sends-us.ndjson", [{**row, "id": f"us-{row['id']}"} for row in second])
    assert push(settings, ["sends"]).outcomes["sends"] == Outcomes(55, accepted=55)


def test_what_the_account_holds_stays_accepted_beside_a_conflict(
    account: Account, settings: Settings, write: Write, some_sends: Some
) -> None:
    """A row that was sent is in the account, whatever comes later under its key; what differs is held back."""
    rows = some_sends(3)
    write("sends-b.ndjson", rows)
    push(settings, ["sends"])
    write("sends-a.ndjson", [{**rows[0], "message": "new"}, rows[1]])
    report = push(settings, ["sends"])
    assert report.outcomes["sends"] == Outcomes(5, accepted=3, duplicate=1, quarantined=1)
    assert [(name, row) for name, row, _ in held(settings, "conflict")] == [("sends-a.ndjson", 1)]
    assert "message" not in account.sends["m000000"]
    assert push(settings, ["sends"]).outcomes == report.outcomes


def test_clicks_of_one_message_may_differ_in_their_time_only(
    account: Account, settings: Settings, write: Write, some_sends: Some, offer: str
) -> None:
    """Several clicks are one, the earliest; clicks of one message on two offers contradict each other."""
    write("sends.ndjson", some_sends(2))
    click = {"offer_id": offer, "phone_number": "+15551234567"}
    other = next(o["id"] for o in account.offers if o["id"] != offer and o["status"] == "active")
    first = {**click, "message_id": "m000000"}
    second = {**click, "message_id": "m000001"}
    write("clicks-a.ndjson", [{**first, "timestamp": "2024-05-03"}, {**second, "timestamp": "2024-05-03"}])
    write(
        "clicks-b.ndjson",
        [{**first, "timestamp": "2024-05-02"}, {**second, "timestamp": "2024-05-03", "offer_id": other}],
    )
    report = push(settings, ALL)
    assert report.outcomes["clicks"] == Outcomes(4, accepted=1, duplicate=1, quarantined=2)
    assert account.clicks["m000000"]["timestamp"] == "2024-05-02T00:00:00Z"
    assert set(account.clicks) == {"m000000"}


def test_a_record_id_on_several_lines_is_a_conflict(
    account: Account, settings: Settings, write: Write, some_sends: Some, offer: str
) -> None:
    """An order number on each of its lines is no id of a row."""
    account.revenue.clear()
    write("sends.ndjson", some_sends(2))
    sale = {"message_id": "m000000", "offer_id": offer, "timestamp": "2024-06-01", "record_id": "o1"}
    other = {**sale, "record_id": "o2", "revenue": 1, "message_id": "m000001"}
    write("revenue.ndjson", [{**sale, "revenue": 5}, {**sale, "revenue": 7}, other, other])
    report = push(settings, ALL)
    assert report.outcomes["revenue"] == Outcomes(4, accepted=1, duplicate=1, quarantined=2)
    assert [row["message_id"] for row in account.revenue] == ["m000001"]


def test_what_changed_since_it_was_sent_is_told(
    account: Account, either: Settings, some_sends: Some, offer: str
) -> None:
    """Rows in the account whose content is another by now are counted and listed, and nothing is sent."""
    either.history.mkdir(parents=True, exist_ok=True)
    rows = some_sends(1200)
    sale = {
        "message_id": "m000001",
        "offer_id": offer,
        "timestamp": "2024-06-01",
        "record_id": "r",
        "revenue": 5,
    }

    def write(name: str, some: list[Row]) -> None:
        (either.history / name).write_text("".join(json.dumps(row) + "\n" for row in some))

    write("sends.ndjson", rows)
    write("revenue.ndjson", [sale])
    first = push(either, ALL)
    assert first.differing == {"sends": 0, "clicks": 0, "revenue": 0}
    write("sends.ndjson", [{**rows[0], "message": "other"}, *rows[1:-1], {**rows[-1], "delivered": True}])
    write("revenue.ndjson", [{**sale, "payout": 1}])
    posts = len([request for request in account.log if request.method == "POST"])
    second = push(either, ALL)
    assert second.outcomes == first.outcomes
    assert second.differing == {"sends": 2, "clicks": 0, "revenue": 1}
    assert len([request for request in account.log if request.method == "POST"]) == posts
    found = query(either.warehouse, "SELECT dataset, row FROM imports.records WHERE differs ORDER BY ALL")
    assert found == [("revenue", 1), ("sends", 1), ("sends", 1200)]
    write("sends.ndjson", rows)
    assert push(either, ["sends"]).differing["sends"] == 0


def test_what_differs_is_acknowledged_until_it_changes_again(
    account: Account, settings: Settings, write: Write, some_sends: Some, offer: str
) -> None:
    """An acknowledged row counts as what it is; the plan still lists it, and another change is reported again."""
    rows = some_sends(3)
    sale = {
        "message_id": "m000001",
        "offer_id": offer,
        "timestamp": "2024-06-01",
        "record_id": "r",
        "revenue": 5,
    }

    def groups() -> list[tuple[str, int]]:
        plan = plan_push(settings, ["sends"]).plans["sends"]
        return [(group.outcome, group.rows) for group in plan.files[0].groups]

    write("sends.ndjson", rows)
    write("revenue.ndjson", [sale])
    push(settings, ALL)
    write("sends.ndjson", [{**rows[0], "message": "other"}, {**rows[1], "delivered": True}, rows[2]])
    write("revenue.ndjson", [{**sale, "revenue": 7}])
    assert push(settings, ALL).differing == {"sends": 2, "clicks": 0, "revenue": 1}
    assert [(place.identity, place.line) for place in differing_rows(settings, ["sends"])] == [
        ("m000000", 1),
        ("m000001", 2),
    ]
    with pytest.raises(UsageError, match="reason"):
        acknowledge_differing(settings, ["sends"], " ")
    assert acknowledge_differing(settings, ["sends"], "corrected texts") == {"sends": 2}
    assert differing(settings) == {"sends": 0, "clicks": 0, "revenue": 1}
    assert acknowledge_differing(settings, ALL, "a price") == {"sends": 0, "clicks": 0, "revenue": 1}
    columns = "dataset, identity, outcome, differs_acknowledged"
    records = f"SELECT {columns} FROM imports.records WHERE differs ORDER BY ALL"
    expected = [
        ("revenue", "record:r", "accepted", True),
        ("sends", "m000000", "accepted", True),
        ("sends", "m000001", "accepted", True),
    ]
    assert query(settings.warehouse, records) == expected
    again = push(settings, ALL)
    assert again.differing == {"sends": 0, "clicks": 0, "revenue": 0}
    assert (again.outcomes["sends"].accepted, again.outcomes["revenue"].accepted) == (3, 1)
    assert query(settings.warehouse, records) == expected
    assert groups() == [("differs, acknowledged", 2)]
    kept = query(
        settings.warehouse,
        "SELECT dataset, identity, outcome, reason, resolved_by IS NOT NULL FROM imports.resolutions ORDER BY ALL",
    )
    assert kept == [
        ("revenue", "record:r", "differs", "a price", True),
        ("sends", "m000000", "differs", "corrected texts", True),
        ("sends", "m000001", "differs", "corrected texts", True),
    ]
    write("sends.ndjson", [{**rows[0], "message": "third"}, {**rows[1], "delivered": True}, rows[2]])
    assert groups() == [("differs", 1), ("differs, acknowledged", 1)]
    assert push(settings, ["sends"]).differing["sends"] == 1
    assert acknowledge_differing(settings, ["sends"], "again") == {"sends": 1}
    assert push(settings, ["sends"]).differing["sends"] == 0
    assert "message" not in account.sends["m000000"]
    assert [row["revenue"] for row in account.revenue if row.get("message_id") == "m000001"] == [5]


def test_rows_that_were_rejected_may_be_corrected(
    account: Account, settings: Settings, write: Write, some_sends: Some
) -> None:
    """What was tried again is what was sent: the account holds the file's row, and nothing differs."""
    account.refuse = lambda _, record: ("list_not_found", "No") if record["id"] == "m000001" else None
    rows = some_sends(3)
    write("sends.ndjson", rows)
    push(settings, ["sends"])
    account.refuse = None
    write("sends.ndjson", [rows[0], {**rows[1], "message": "right"}, rows[2]])
    assert push(settings, ["sends"]).differing["sends"] == 0
    report = push(settings, ["sends"], retry_rejected=True)
    assert (report.outcomes["sends"], report.differing["sends"]) == (Outcomes(3, accepted=3), 0)
    assert account.sends["m000001"]["message"] == "right"


def test_phones_that_are_hashed_are_compared_all_the_same(
    account: Account, settings: Settings, write: Write, some_sends: Some
) -> None:
    """With hashed numbers a change is seen, and another secret compares nothing with anything."""
    rows = some_sends(3)
    write("sends.ndjson", rows)
    secret = settings.model_copy(update={"hash_phones": type(settings.api_key)("s" * 40)})
    other = settings.model_copy(update={"hash_phones": type(settings.api_key)("t" * 40)})
    push(secret, ["sends"])
    assert push(secret, ["sends"]).differing["sends"] == 0
    write("sends.ndjson", [{**rows[0], "to_number": "+15559998888"}, *rows[1:]])
    assert push(secret, ["sends"]).differing["sends"] == 1
    assert acknowledge_differing(secret, ["sends"], "a new number") == {"sends": 1}
    assert push(secret, ["sends"]).differing["sends"] == 0
    assert push(other, ["sends"]).differing["sends"] == 0
    assert len(account.sends) == 3


@pytest.fixture
def sale(write: Write, some_sends: Some, offer: str, account: Account) -> Row:
    """A sale of the first of two sends; the account has no other revenue."""
    account.revenue.clear()
    write("sends.ndjson", some_sends(2))
    return {"message_id": "m000000", "offer_id": offer, "revenue": 5, "timestamp": "2024-06-01"}


@pytest.mark.parametrize(
    ("either", "choice", "there"),
    [("sqlite", Choice.COUNT, 5), ("sqlite", Choice.ONCE, 3), ("postgresql", Choice.ONCE, 3)],
    indirect=["either"],
)
def test_equal_revenue_of_two_files_waits_for_a_decision(
    account: Account, either: Settings, some_sends: Some, offer: str, choice: Choice, there: int
) -> None:
    """Held until somebody decides; the decision is kept, and what is added later is held again."""
    account.revenue.clear()
    either.history.mkdir(parents=True, exist_ok=True)

    def write(name: str, some: list[Row]) -> None:
        (either.history / name).write_text("".join(json.dumps(row) + "\n" for row in some))

    write("sends.ndjson", some_sends(2))
    sale = {"message_id": "m000000", "offer_id": offer, "revenue": 5, "timestamp": "2024-06-01"}
    alone = {**sale, "message_id": "m000001"}
    write("revenue.ndjson", [sale, sale, alone])
    write("revenue (1).ndjson", [sale, sale])
    report = push(either, ALL)
    assert report.outcomes["revenue"] == Outcomes(5, accepted=1, parked=4)
    assert {name for name, _, _ in held(either, "same_rows")} == {"revenue.ndjson", "revenue (1).ndjson"}
    assert push(either, REVENUE).outcomes["revenue"] == report.outcomes["revenue"]
    done = push(either, REVENUE, decision=Decision(choice, "asked accounting"))
    assert done.outcomes["revenue"] == Outcomes(5, accepted=there, duplicate=5 - there)
    assert len(account.revenue) == there
    assert push(either, REVENUE).outcomes == done.outcomes
    assert len(account.revenue) == there
    write("revenue-c.ndjson", [sale])
    assert push(either, REVENUE).outcomes["revenue"].parked == 1
    assert len(account.revenue) == there


def test_what_was_sent_before_a_copy_came_stays_accepted(
    account: Account, settings: Settings, write: Write, sale: Row
) -> None:
    """A copied file holds back the copies and nothing else."""
    write("revenue.ndjson", [sale, sale])
    push(settings, ALL)
    write("revenue (1).ndjson", [sale, sale])
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(4, accepted=2, parked=2)
    once = push(settings, REVENUE, decision=Decision(Choice.ONCE, "a copy"))
    assert once.outcomes["revenue"] == Outcomes(4, accepted=2, duplicate=2)
    assert len(account.revenue) == 2


@pytest.mark.parametrize("change", [{"timestamp": "2024-06-02"}, {"record_id": "r1"}])
@pytest.mark.parametrize(("choice", "there"), [(Choice.COUNT, 2), (Choice.ONCE, 1)])
def test_a_row_that_is_like_a_sent_one_waits_for_a_decision(
    account: Account, settings: Settings, write: Write, sale: Row, change: Row, choice: Choice, there: int
) -> None:
    """Equal in message, offer and amount, but not in time or record_id: perhaps the sale that was sent."""
    write("revenue.ndjson", [sale])
    push(settings, ALL)
    write("revenue.ndjson", [{**sale, **change}])
    report = push(settings, REVENUE)
    assert report.outcomes["revenue"] == Outcomes(1, parked=1)
    assert len(held(settings, "like_sent")) == 1
    assert len(account.revenue) == 1
    done = push(settings, REVENUE, decision=Decision(choice, "looked"))
    assert done.outcomes["revenue"] == Outcomes(1, accepted=there - 1, duplicate=2 - there)
    assert len(account.revenue) == there
    assert push(settings, REVENUE).outcomes == done.outcomes


@pytest.mark.parametrize(
    ("either", "choice", "there"),
    [("sqlite", Choice.COUNT, 2), ("sqlite", Choice.ONCE, 1), ("postgresql", Choice.COUNT, 2)],
    indirect=["either"],
)
def test_a_sent_row_whose_amount_was_changed_waits_for_a_decision(
    account: Account, either: Settings, write: Write, sale: Row, choice: Choice, there: int
) -> None:
    """Without a record_id it looks new; but the row that is the same except for the amount has left the files."""
    other = {**sale, "timestamp": "2024-08-01", "revenue": 7.0001}
    write("revenue.ndjson", [sale, other])
    push(either, ALL)
    write("revenue.ndjson", [{**sale, "revenue": 31.5}, other])
    report = push(either, REVENUE)
    assert report.outcomes["revenue"] == Outcomes(2, accepted=1, parked=1)
    assert len(held(either, "new_amount")) == 1
    assert len(account.revenue) == 2
    done = push(either, REVENUE, decision=Decision(choice, "looked"))
    assert done.outcomes["revenue"] == Outcomes(2, accepted=there, duplicate=2 - there)
    assert len(account.revenue) == there + 1
    assert push(either, REVENUE).outcomes == done.outcomes


def test_another_amount_beside_the_sent_row_is_another_sale(
    account: Account, settings: Settings, write: Write, sale: Row
) -> None:
    """While the row that was sent is in the files, one with another amount is new; so is one of another time."""
    write("revenue.ndjson", [sale])
    push(settings, ALL)
    write("revenue-b.ndjson", [{**sale, "revenue": 31.5}])
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(2, accepted=2)
    (settings.history / "revenue.ndjson").unlink()
    write("revenue-b.ndjson", [{**sale, "revenue": 31.5}, {**sale, "revenue": 32, "timestamp": "2024-09-09"}])
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(2, accepted=2)
    assert len(account.revenue) == 3


def test_sales_alike_of_one_file_all_go(
    account: Account, settings: Settings, write: Write, sale: Row
) -> None:
    """A message that earns the same every month: what stood in the file beside the sent one is another sale."""
    months = [{**sale, "timestamp": f"2024-0{month}-01"} for month in (6, 7, 8)]
    write("revenue-a.ndjson", months)
    write("revenue-b.ndjson", [{**sale, "revenue": 6}])
    push(settings, ["sends"])
    start = Outcomes(4, accepted=1, pending=3)
    june = (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 2, tzinfo=UTC))
    write("revenue-b.ndjson", [{**sale, "revenue": 6, "timestamp": "2024-06-02"}])
    assert push(settings, REVENUE, between=june).outcomes["revenue"] == start
    write("revenue-a.ndjson", [*months, {**sale, "timestamp": "2024-09-01"}])
    assert push(settings, ALL).outcomes["revenue"] == Outcomes(5, accepted=5)
    assert len(account.revenue) == 5
    write("revenue-c.ndjson", [{**sale, "timestamp": "2024-10-01"}])
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(6, accepted=5, parked=1)


@st.composite
def _files(draw: st.DrawFn) -> list[list[Row]]:
    """Some files of sends; few keys and few contents, so that they repeat."""
    row = st.fixed_dictionaries(
        {"id": st.sampled_from("abcdef"), "message": st.sampled_from(["x", "y", None])}
    )
    return draw(st.lists(st.lists(row, max_size=6), min_size=1, max_size=3))


@hypothesis_settings(max_examples=examples(4), suppress_health_check=list(HealthCheck))
@given(files=_files(), later=_files())
def test_whatever_repeats_what_arrives_is_what_the_files_say(
    files: list[list[Row]], later: list[list[Row]], tmp_path_factory: pytest.TempPathFactory,
    settings_of: Callable[..., Settings],
) -> None:  # fmt: skip
    """Of any files, in any formats: keys with one content arrive once, others not, and the outcomes add up."""
    account = seed_account(contacts=5)
    contact = account.contacts()[0]
    folder = tmp_path_factory.mktemp("any") / "data"
    sent: dict[str, str | None] = {}
    with running(account) as server:
        settings = settings_of(server.url, folder)
        settings.history.mkdir(parents=True)
        for some in (files, later):
            for path in settings.history.iterdir():
                path.unlink()
            for number, rows in enumerate(some):
                _write(settings.history / f"sends-{number}", rows, contact, number % 2 == 1)
            contents: dict[str, set[str | None]] = {}
            everything = [row for rows in some for row in rows]
            for row in everything:
                contents.setdefault(row["id"], set()).add(row["message"])
            counts = Counter(_oracle(everything, contents, sent))
            for key, values in contents.items():
                if len(values) == 1 and key not in sent:
                    (sent[key],) = values
            done = push(settings, ["sends"])
            assert done.outcomes["sends"] == Outcomes(len(everything), **counts)
            assert outcomes(settings)["sends"] == done.outcomes["sends"]
            assert {key: row.get("message") for key, row in account.sends.items()} == sent
            differing = [
                key for key, values in contents.items() if len(values) == 1 and {sent[key]} != values
            ]
            assert done.differing["sends"] == len(differing)


def _oracle(rows: list[Row], contents: dict[str, set[str | None]], sent: dict[str, str | None]) -> list[str]:
    """The outcome of each row, by counting."""
    seen: set[str] = set()
    found = []
    for row in rows:
        key = row["id"]
        kept = len(contents[key]) == 1 or (key in sent and sent[key] == row["message"])
        found.append("quarantined" if not kept else "duplicate" if key in seen else "accepted")
        if kept:
            seen.add(key)
    return found


def _write(path: Path, rows: list[Row], contact: Row, as_csv: bool) -> None:
    whole = [
        {
            **row,
            "to_number": contact["phone_number"],
            "list_id": contact["list_id"],
            "timestamp": "2024-05-01",
        }
        for row in rows
    ]
    if not as_csv:
        lines = (json.dumps(row) + "\n" for row in whole)
        path.with_suffix(".ndjson").write_text("".join(lines))
        return
    with path.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "to_number", "list_id", "timestamp", "message"])
        writer.writeheader()
        writer.writerows(whole)


def test_amounts_of_held_rows_are_never_sent(
    account: Account, settings: Settings, write: Write, sale: Row
) -> None:
    """The account's total is what the accepted rows say."""
    write("revenue-a.ndjson", [sale, {**sale, "revenue": 7, "record_id": "q"}])
    write("revenue-b.ndjson", [sale, {**sale, "revenue": 8, "record_id": "q"}])
    push(settings, ALL)
    assert sum(Decimal(str(row["revenue"])) for row in account.revenue) == 0


def test_rows_of_one_line_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    """Elements of a JSON array may all stand in its first line."""
    history = tmp_path / "history"
    history.mkdir()
    rows = [
        {"id": one, "to_number": "+12000000000", "timestamp": "2024-05-01", "list_id": 1, "message": text}
        for one, text in (("a", "x"), ("k", "one"), ("k", "two"))
    ]
    (history / "sends.json").write_text(json.dumps(rows))
    settings = Settings(data_dir=tmp_path / "data", history_dir=history)
    (file,) = plan_push(settings, ["sends"]).plans["sends"].files
    (conflict,) = [group for group in file.groups if group.code == "conflict"]
    assert {example.places for example in conflict.examples} == {
        "sends.json row 2 and sends.json row 3",
        "sends.json row 3 and sends.json row 2",
    }
