"""Reconciliation against an account that gains and loses what it should not."""

import inspect
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beginnings import Beginning, beginning, seeded
from histories import clicks_of
from oracle import query

from pipelines.cli.commands.reconcile import reconcile as reconcile_command
from pipelines.cli.commands.resolve import resolve
from pipelines.cli.commands.status import _counted, _document
from pipelines.cli.shared.attention import attention, found_twice_notes, still_twice_notes
from pipelines.errors import UsageError
from pipelines.push.audit.late_revenue import open_alarms
from pipelines.push.audit.reconcile import Reconciliation, StillTwice, reconcile
from pipelines.push.run import push
from pipelines.run_records.summary import latest_runs
from pipelines.sandbox import Account, Fault, Server, running, write_history
from pipelines.settings import Settings
from pipelines.text.humanize import money
from pipelines.warehouse.published import published
from schemas.own_tables.imports import FINDINGS

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]
ALL = ["sends", "clicks", "revenue"]


@pytest.fixture
def account() -> Account:
    """A small account: all of its contacts are compared."""
    return seeded(60)


def differences(settings: Settings) -> list[tuple[Any, ...]]:
    return query(
        settings.warehouse,
        "SELECT measure, phone_number, difference, finding FROM imports.differences ORDER BY measure, phone_number",
    )


@pytest.fixture(scope="module")
def history_pushed(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]
) -> tuple[Beginning, int]:
    """A history that was pushed, and how much revenue the account had before."""

    def make(folder: Path) -> Account:
        account = seeded(60)
        with running(account) as server:
            settings = settings_of(server.url, folder / "data")
            assert write_history(account, settings.history, sends=120).revenue
            push(settings, ALL)
        return account

    return beginning(tmp_path_factory, "pushed-to-reconcile", make), len(seeded(60).revenue)


@pytest.fixture
def pushed(account: Account, settings: Settings, history_pushed: tuple[Beginning, int]) -> list[Row]:
    """A history that was pushed; returns its rows of revenue."""
    begin, before = history_pushed
    begin.restore(account, settings)
    return account.revenue[before:]


def _contact(account: Account, earned: Row) -> Row:
    contact = account.contact((earned["phone_number"], earned["list_id"]))
    assert contact
    return contact


def test_what_arrived_is_accounted_for_to_the_digit(settings: Settings, pushed: list[Row]) -> None:
    """Right after a push nothing differs; it is on record with its figures, for the warehouse after the next push."""
    found = reconcile(settings)
    assert found.agrees
    assert not any(found.findings.values())
    assert found.contacts >= len({(row["phone_number"], row["list_id"]) for row in pushed})
    assert differences(settings) == []
    (run, *_), _ = latest_runs(settings.data_dir, 1)
    assert (run.what, run.rows) == ("reconcile", found.contacts)
    push(settings, ["clicks"])
    details = query(settings.warehouse, "SELECT details FROM sync.runs WHERE activity = 'reconcile'")
    assert [json.loads(text)["agrees"] for (text,) in details] == [True]


def test_revenue_of_a_call_that_died_with_its_process_is_in_doubt(
    settings: Settings, pushed: list[Row]
) -> None:
    """Until the next push looks, what it brought is no other activity, and no agreement hides it."""
    died = "FROM push_chunks WHERE dataset = 'revenue' ORDER BY chunk DESC LIMIT 1"
    with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger, ledger:
        ((chunk, rows),) = ledger.execute(f"SELECT chunk, rows {died}").fetchall()
        ledger.execute(
            "UPDATE push_chunks SET state = 'intended', answered_at = NULL, total_revenue = NULL, success_count = 0"
            " WHERE chunk = ?",
            [chunk],
        )
    found = reconcile(settings)
    balance = found.balances["revenue"]
    assert (balance.accepted, balance.in_doubt) == (len(pushed) - rows, rows)
    assert {name: count for name, count in found.findings.items() if count} == {"in_doubt": 2 * rows}
    assert found.agrees


def test_what_is_missing_is_found_and_named_to_the_digit(
    account: Account, settings: Settings, write: Write, some_sends: Some, offer: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Nothing is where an account rounds totals to cents, or counts revenue on another list of the number.

    What is missing beyond that is listed with its contact, and the books do not agree.
    """
    for contact in account.contacts():
        contact.update(revenue_total=0.0, click_count=0)
    rows = list({row["to_number"]: row for row in some_sends(30)}.values())[:20]
    on_other_list = {row["id"] for row in rows[:3]}
    moved, rounded = [], []
    for row in rows:
        (here,) = [c for c in account.contacts_of(row["to_number"]) if c["list_number"] == row["list_number"]]
        if row["id"] in on_other_list:
            moved.append((here, _second_list(account, here)))
        else:
            rounded.append(here)
    sales = [
        {"message_id": i, "offer_id": offer, "revenue": "5" if i in on_other_list else "1.0033"}
        for i in (row["id"] for row in rows)
    ]
    for name, some in zip(ALL, (rows, clicks_of(rows[3:5], offer, "2024-05-02"), sales), strict=True):
        write(f"{name}.ndjson", some)
    push(settings, ALL)
    for here, there in moved:
        for one, sign in ((here, -1), (there, 1)):
            one["revenue_total"] += 5 * sign
            one["conversion_count"] += sign
    for contact in rounded:
        contact["revenue_total"] = float(round(Decimal(str(contact["revenue_total"])), 2))
    found = reconcile(settings)
    assert found.agrees
    assert not any(found.findings.values())

    moved[0][1]["revenue_total"] -= 0.01
    rounded[0]["click_count"] = 0
    rounded[1]["revenue_total"] -= 0.01
    rounded[2]["revenue_total"] -= 0.5
    found = reconcile(settings)
    assert not found.agrees
    missing = [(moved[0][1], "0.0100"), (rounded[1], "0.0133"), (rounded[2], "0.5033")]
    assert found.findings["missing"] == 1 + len(missing)
    assert found.missing == sum(Decimal(amount) for _, amount in missing)
    assert differences(settings) == [
        ("clicks", rounded[0]["phone_number"], -1, "missing"),
        *sorted(("revenue", one["phone_number"], -Decimal(amount), "missing") for one, amount in missing),
    ]
    for name in ("base_url", "data_dir"):
        monkeypatch.setenv(f"TRACKLY_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("TRACKLY_API_KEY", settings.require_key())
    assert inspect.unwrap(reconcile_command)(quiet=True) == 1
    assert "What was accepted is not all there: FROM imports.differences" in capsys.readouterr().err


def test_other_activity_and_lost_contacts_are_distinguished(
    account: Account, settings: Settings, pushed: list[Row]
) -> None:
    """More than was accepted is no fault of the push; a contact that is gone cannot be compared."""
    by_contact = {(row["phone_number"], row["list_id"]): row for row in pushed}
    first, second, *_ = by_contact.values()
    more = _contact(account, first)
    more["revenue_total"] += 3
    more["conversion_count"] += 1
    account.remove_contact((second["phone_number"], second["list_id"]))
    found = reconcile(settings)
    assert found.agrees
    assert found.findings["more"] == 2
    assert found.findings["contact_gone"] >= 2


def _second_list(account: Account, here: Row) -> Row:
    """Another contact of the same number, on another list."""
    other = next(item["id"] for item in account.lists if item["id"] != here["list_id"])
    account.add_contact(
        {**here, "list_id": other, "list_number": None, "revenue_total": 0.0, "conversion_count": 0}
    )
    there = account.contact((here["phone_number"], other))
    assert there
    return there


def assert_still_twice(settings: Settings, found: Reconciliation, expected: StillTwice) -> None:
    """What was acknowledged and is still there is no finding that fails, and is named wherever somebody looks."""
    assert (found.still_twice, found.verdict) == (expected, "agrees")
    assert set(found.findings) == set(FINDINGS)
    listed = [row for row in differences(settings) if row[3] == "still_twice"]
    assert len(listed) == 2 * expected.contacts
    notes = [one for one in attention(settings, {}, {}) if "pull" not in one]
    assert notes == still_twice_notes(settings)
    assert len(notes) == (expected.contacts > 0)
    document = _document(settings, published(settings.warehouse), _counted(settings)[0], is_damaged=False)
    assert ("needs_attention" in document) == (expected.contacts > 0)
    assert all(
        f"hold{'s' * (expected.contacts == 1)} {money(expected.amount)} more" in note for note in notes
    )
    assert all("1 contact with other revenue may hold some" in note for note in notes)


def test_a_surplus_is_twice_only_where_it_matches_what_was_sent_again(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A call taken for lost that was carried out after the reading is found, for no reading can foresee it.

    Revenue of another amount is other activity; where there is room for the row beside other revenue it is not.
    """
    account.revenue.clear()
    surplus = [(5, 1, "perhaps_twice"), (3, 1, "more"), (8, 2, "perhaps_twice"), (4, 2, "more")]
    strangers = list({row["to_number"]: row for row in some_sends(20)}.values())[: len(surplus)]
    write("sends.ndjson", strangers)
    write("revenue.ndjson", [{"message_id": row["id"], "offer_id": offer, "revenue": 5} for row in strangers])
    server.faults.active.append(Fault("reset-before", path="revenue", times=1))
    push(settings, ALL[::2])
    assert len(account.revenue) == len(surplus)
    finding_of = {}
    for earned in account.revenue:
        amount, conversions, finding = surplus[[row["id"] for row in strangers].index(earned["message_id"])]
        row = _contact(account, earned)
        row["revenue_total"] += amount
        row["conversion_count"] += conversions
        finding_of[row["phone_number"]] = finding
    found = reconcile(settings)
    assert found.twice
    assert found.alarms == 1
    assert set(found.findings) == {"missing", "perhaps_twice", "in_doubt", "contact_gone", "more"}
    listed = {(measure, phone): finding for measure, phone, _, finding in differences(settings)}
    assert {measure for measure, _ in listed} == {"revenue", "conversions"}
    assert listed == {(measure, phone): finding_of[phone] for measure, phone in listed}
    assert len(listed) == 2 * len(surplus)
    (late,) = open_alarms(settings)
    assert late.amount == 10
    assert not any(row["to_number"] in late.text + late.remedy for row in strangers)
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(settings.data_dir))
    number = late.alarm.alarm
    assert inspect.unwrap(resolve)(alarm=str(number), reason="removed, ticket 1") == 0
    assert f"Alarm {number} is acknowledged. To go on: trackly-sync push" in capsys.readouterr().out
    again = reconcile(settings)
    assert (again.twice, again.findings["more"] >= 4) == (False, True)
    assert_still_twice(settings, again, StillTwice(contacts=1, amount=Decimal(5), or_other=1))
    for row in account.contacts():  # as the account's support removes it, of both contacts
        if finding_of.get(row["phone_number"]) == "perhaps_twice":
            row["revenue_total"] -= 5
            row["conversion_count"] -= 1
    again = reconcile(settings)
    assert (again.verdict, again.findings["perhaps_twice"]) == ("agrees", 0)
    assert_still_twice(settings, again, StillTwice())
    assert (
        query(settings.warehouse, "SELECT outcome, reason FROM imports.resolutions")
        == [("acknowledged", "removed, ticket 1")] * 2
    )


def test_a_call_that_a_gateway_repeated_is_found_by_most_of_its_contacts(
    account: Account, settings: Settings, write: Write, some_sends: Some, offer: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Of half of them, of another amount, or of fewer than six contacts, it is other activity."""
    account.revenue.clear()
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(settings.data_dir))
    strangers = list({row["to_number"]: row for row in some_sends(40)}.values())
    assert len(strangers) >= 21

    write("sends.ndjson", strangers)

    def pushed(rows: list[Row], *datasets: str) -> list[Row]:
        sales = [{"message_id": row["id"], "offer_id": offer, "revenue": 2 + n} for n, row in enumerate(rows)]
        write("revenue.ndjson", sales)
        before = len(account.revenue)
        push(settings, datasets)
        return account.revenue[before:]

    def grow(earned: list[Row], times: int, other: float = 0) -> None:
        for one in earned:
            row = _contact(account, one)
            row["revenue_total"] += times * (one["revenue"] + other)
            row["conversion_count"] += times

    of_twelve = pushed(strangers[:12], "sends", "revenue")
    of_nine = pushed(strangers[12:21], "revenue")
    assert query(settings.warehouse, "SELECT rows FROM imports.chunks WHERE dataset = 'revenue' ORDER BY chunk") == [
        (12,), (9,)
    ]  # fmt: skip
    for earned, other, finding in (
        ([*of_twelve[:6], *of_nine[:5]], 0, "more"),
        (of_twelve, 1, "more"),
        (of_twelve[:7], 0, "perhaps_twice"),
    ):
        grow(earned, 1, other)
        found = reconcile(settings)
        assert {name: count for name, count in found.findings.items() if count} == {finding: 2 * len(earned)}
        is_found = finding == "perhaps_twice"
        assert (found.verdict, found.repeated_calls) == (("perhaps_twice", 1) if is_found else ("agrees", 0))
        notes = [one for one in attention(settings, {}, {}) if "as if delivered twice" in one]
        assert notes == found_twice_notes(settings)
        assert len(notes) == is_found
        document = _document(settings, {}, _counted(settings)[0], is_damaged=False)
        assert document.get("perhaps_twice", {}).get("calls", 0) == is_found
        if is_found:
            assert notes[0] in document["needs_attention"]
            _acknowledged_at_the_terminal(settings, [row["phone_number"] for row in earned], capsys)
        grow(earned, -1, other)
    assert reconcile(settings).verdict == "agrees"
    assert [*found_twice_notes(settings), *still_twice_notes(settings)] == []


def _acknowledged_at_the_terminal(
    settings: Settings, phones: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What reconcile found is listed without whole numbers, is acknowledged with a reason, and stays a note then."""
    command = inspect.unwrap(resolve)
    capsys.readouterr()
    assert command() == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert "Found by reconcile 1 call of revenue is in the account as if delivered twice" in listed
    assert "trackly-sync resolve --acknowledge reconcile --reason '...'" in listed
    assert not any(phone in listed for phone in phones)
    with pytest.raises(UsageError, match="takes the number of an alarm, or reconcile"):
        command(alarm="2nd", reason="right")
    assert command(alarm="reconcile", reason="right, ticket 2", as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"acknowledged": "reconcile"}
    assert found_twice_notes(settings) == []
    found = reconcile(settings)
    assert (found.verdict, found.repeated_calls) == ("agrees", 0)
    assert found.still_twice.contacts == len(phones)
