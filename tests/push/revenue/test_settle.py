"""Revenue in doubt: what the contacts' totals tell of it, and that they never tell what is not so."""

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from effort import examples
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from oracle import query

from pipelines.errors import DataError, UsageError
from pipelines.pull.run import pull
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.alarms import acknowledge, alarms, named
from pipelines.push.ledger.queries.revenue.in_doubt import Sent
from pipelines.push.ledger.readings import Found, Totals
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.push.resolve import in_doubt, resolve
from pipelines.push.revenue.settle import settled
from pipelines.push.revenue.subset_sum import Alike, Fate, explain, fates
from pipelines.push.run import PushReport, push
from pipelines.runs import now
from pipelines.sandbox import Account, Fault, Server, parse_fault, running, seed_account
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]

KINDS = st.lists(
    st.builds(Alike, st.sampled_from([0, 1, 2, 3, 5]), st.integers(1, 3)), min_size=1, max_size=4
)


@given(KINDS, st.data())
def test_without_other_revenue_the_truth_is_among_the_explanations(
    kinds: list[Alike], data: st.DataObject
) -> None:
    """Bounds are those of a search of every selection that explains the growth; so the truth lies within."""
    truth = [data.draw(st.integers(0, kind.rows)) for kind in kinds]
    count = sum(truth)
    amount = sum(n * kind.amount for n, kind in zip(truth, kinds, strict=True))
    every = [
        chosen
        for chosen in product(*(range(kind.rows + 1) for kind in kinds))
        if sum(chosen) == count and sum(n * k.amount for n, k in zip(chosen, kinds, strict=True)) == amount
    ]
    found = explain(kinds, count, amount)
    if count == 0:
        assert found == [(0, 0)] * len(kinds)
    assert found == [(min(n), max(n)) for n in zip(*every, strict=True)]


@given(KINDS, st.data(), st.lists(st.sampled_from([0, 1, 2, 4, 7]), min_size=1, max_size=2))
def test_with_other_revenue_nothing_is_claimed_that_is_not_so(
    kinds: list[Alike], data: st.DataObject, other: list[int]
) -> None:
    """Where no selection explains the growth, no row is called stored, and none that is stored is called absent."""
    truth = [data.draw(st.integers(0, kind.rows)) for kind in kinds]
    count = sum(truth) + len(other)
    amount = sum(n * kind.amount for n, kind in zip(truth, kinds, strict=True)) + sum(other)
    explained = any(
        sum(chosen) == count and sum(n * k.amount for n, k in zip(chosen, kinds, strict=True)) == amount
        for chosen in product(*(range(kind.rows + 1) for kind in kinds))
    )
    for n, (fewest, most) in zip(truth, explain(kinds, count, amount), strict=True):
        assert explained or (fewest == 0 and n <= most)


@pytest.mark.parametrize(("count", "amount"), [(-1, 0), (0, 5), (1, -5), (0, -5)])
def test_numbers_that_contradict_one_another_tell_nothing(count: int, amount: int) -> None:
    """A contact that was reset or merged leaves its rows in doubt."""
    assert explain([Alike(5, 1)], count, amount) == [(0, 1)]


def test_growth_that_may_have_been_rounded_never_shows_a_row_to_be_absent() -> None:
    """1.255 that an account shows as 1.26 is stored where rounding is known, and open where it is not."""
    assert explain([Alike(12_550, 1)], 1, 12_600, rounding=100) == [(1, 1)]
    assert explain([Alike(12_550, 1)], 1, 12_600) == [(0, 1)]
    assert explain([Alike(12_550, 1)], 1, 13_600) == [(0, 0)]


def test_rows_that_are_the_same_are_told_by_number() -> None:
    """Of rows with the same content it does not matter which is there."""
    assert fates(Alike(5, 4), 1, 3) == [Fate.STORED, Fate.OPEN, Fate.OPEN, Fate.ABSENT]


def test_a_great_many_amounts_end_in_doubt_and_soon() -> None:
    """The search is bounded."""
    kinds = [Alike(3**n, 1) for n in range(40)]
    assert explain(kinds, 20, sum(3**n for n in range(0, 40, 2)) + 1)[0] == (0, 1)


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
            "timestamp": "2024-06-01",
        }
        for n, row in enumerate(rows)
    ]


LOST = ["reset-before", "reset-after", "half", "truncate", "html", "shape", "zeros", "502"]


@pytest.mark.parametrize(
    ("either", "fault"),
    # which database keeps the ledger does not depend on how the answer was lost
    [*(("sqlite", fault) for fault in LOST), ("postgresql", "reset-before"), ("postgresql", "half")],
    indirect=["either"],
)
def test_every_way_to_lose_an_answer_is_settled(
    account: Account, either: Settings, server: Server, write: Write, some_sends: Some, offer: str, fault: str
) -> None:
    """However the answer is lost, in the end each row is there once and accepted."""
    account.revenue.clear()
    write("sends.ndjson", rows := some_sends(1_200))
    write("revenue.ndjson", sales(rows, offer, ["1", "2.5"]))
    server.faults.active.append(Fault(fault, method="POST", path="revenue", times=2))
    report = push(either, ["sends", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(1_200, accepted=1_200)
    assert sum(one.path == "/history/revenue" for one in account.log) > 3
    assert stored(account) == Counter(row["id"] for row in rows)


def test_totals_that_are_written_as_texts_settle_too(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """An account that writes amounts and counts in quotes leaves nothing in doubt for it."""
    account.revenue.clear()
    write("sends.ndjson", rows := some_sends(200))
    write("revenue.ndjson", sales(rows, offer, ["5", "2.25"]))

    def quote(_: int, account: Account) -> None:
        for contact in account.contacts():
            contact["revenue_total"] = str(contact["revenue_total"])

    account.before_request = quote
    server.faults.active.append(Fault("half", method="POST", path="revenue", times=1))
    report = push(settings, ["sends", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(200, accepted=200)
    assert stored(account) == Counter(row["id"] for row in rows)


def test_an_answer_that_counts_nothing_refuses_nothing(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """A call of one row whose counters are all 0 says neither that it was taken in nor that it was refused."""
    account.revenue.clear()
    write("sends.ndjson", rows := some_sends(1))
    write("clicks.ndjson", [{"message_id": "m000000", "offer_id": offer, "phone_number": rows[0]["to_number"],
                             "timestamp": "2024-06-01"}])  # fmt: skip
    write("revenue.ndjson", sales(rows, offer, ["5"]))
    for path in ("sends", "clicks", "revenue"):
        server.faults.active.append(Fault("zeros", method="POST", path=path, times=1))
    report = push(settings, ["sends", "clicks", "revenue"])
    assert {of.accepted for of in report.outcomes.values()} == {1}
    assert stored(account) == {"m000000": 1}


def test_the_first_small_call_has_no_two_rows_of_a_contact(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """Where its answer is lost and half of it was done, the contacts' totals tell which half."""
    account.revenue.clear()
    few = strangers(some_sends(99), 20)
    rows = [{**few[n % 20], "id": f"m{n:06}"} for n in range(1_100)]
    write("sends.ndjson", rows)
    write("revenue.ndjson", sales(rows, offer, ["5"]))
    server.faults.active.append(Fault("half", method="POST", path="revenue", times=1))
    report = push(settings, ["sends", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(1_100, accepted=1_100)
    assert stored(account) == Counter(row["id"] for row in rows)


def test_what_other_revenue_hides_stays_in_doubt_with_its_evidence(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """Two readings of the numbers: the row is listed, and never sent again."""
    account.revenue.clear()
    write("sends.ndjson", rows := strangers(some_sends(9), 2))
    write("revenue.ndjson", sales(rows, offer, ["5"]))
    hidden, plain = (account.contact((row["to_number"], _list(account, row))) for row in rows)
    assert hidden
    assert plain

    def earn(_: int, account: Account) -> None:
        if len(account.revenue) == 2 and not earned:
            earned.append(1)
            hidden["revenue_total"] += 7.25
            hidden["conversion_count"] += 1
            plain["revenue_total"] += 0

    earned: list[int] = []
    account.before_request = earn
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    for _ in range(2):
        report = push(settings, ["sends", "revenue"])
        assert report.outcomes["revenue"] == Outcomes(2, accepted=1, in_doubt=1)
    assert len(account.revenue) == 2
    ((code, reason),) = query(
        settings.warehouse, "SELECT code, reason FROM imports.records WHERE outcome = 'in_doubt'"
    )
    assert code == "ambiguous"
    assert "2 conversions and 12.2500" in reason


def test_a_contact_that_is_gone_leaves_its_revenue_in_doubt(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """Nothing can be read of a deleted contact, so nothing is sent again."""
    write("sends.ndjson", rows := some_sends(1))
    write("revenue.ndjson", sales(rows, offer, ["5"]))
    before = len(account.revenue)

    def delete(_: int, account: Account) -> None:
        if len(account.revenue) > before:
            account.remove_contact((rows[0]["to_number"], _list(account, rows[0])))

    account.before_request = delete
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    report = push(settings, ["sends", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(1, in_doubt=1)
    assert report.reasons["revenue"] == {
        "in_doubt: its contact is no longer in the account (contact_gone)": 1
    }


def test_a_contact_that_signed_up_anew_shows_no_row_to_be_absent(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """Deleted and there again with totals of 0: that they do not have the row proves nothing."""
    account.revenue.clear()
    write("sends.ndjson", rows := some_sends(1))
    write("revenue.ndjson", sales(rows, offer, ["5"]))
    key = (rows[0]["to_number"], _list(account, rows[0]))
    contact = account.contact(key)
    assert contact
    contact.update(revenue_total=0.0, conversion_count=0)
    empty = dict(contact)

    def renew(_: int, account: Account) -> None:
        if account.revenue and account.contact(key) is contact:
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
            account.add_contact({**empty, "signup_date": at})

    account.before_request = renew
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    report = push(settings, ["sends", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(1, in_doubt=1)
    assert ["signed up again" in doubt.evidence for doubt in in_doubt(settings)] == [True]
    assert len(account.revenue) == 1


def test_a_row_that_counts_on_every_list_of_a_number_is_settled(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """What the other list has of an accepted row does not stand for a lost one of the same amount."""
    account.revenue.clear()
    (row,) = some_sends(1)
    write("sends.ndjson", rows := [row, {**row, "id": "m1"}])
    write("revenue.ndjson", sales(rows, offer, ["5"]))
    here = account.contact((row["to_number"], _list(account, row)))
    assert here
    other = next(item["id"] for item in account.lists if item["id"] != here["list_id"])
    account.add_contact({**here, "list_id": other, "list_number": None})

    def count_on_both(_: int, account: Account) -> None:
        there = account.contact((row["to_number"], other))
        assert there
        there.update({name: here[name] for name in ("revenue_total", "conversion_count")})

    account.before_request = count_on_both
    server.faults.active.append(Fault("reset-before", method="POST", path="revenue", skip=1, times=1))
    report = push(settings, ["sends", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(2, accepted=2)
    assert stored(account) == {row["id"]: 1, "m1": 1}


def _sent(identity: str, amount: int, ours: bool, call: tuple[int, int], reading: tuple[int, int]) -> Sent:
    """A row of one contact that had nothing before; in doubt if it is ours. Times are minutes."""
    started, ended, read_from, read_to = (f"2026-01-01T00:{minute:02}:00+00:00" for minute in call + reading)
    code = "no_answer" if ours else ""
    return Sent(
        identity, "+15550000001", "1", amount, ours, ours, code, 1, started, ended,
        0, 0, 0, 0, read_from, read_to, True,
    )  # fmt: skip


@pytest.mark.parametrize(("now", "outcome"), [(7, "pending"), (12, "accepted"), (9, "in_doubt")])
def test_a_row_is_settled_beside_another_push(now: int, outcome: str) -> None:
    """A call of another push that goes on while the contact is read may be in that reading or not."""
    other = _sent("theirs", 7, ours=False, call=(9, 12), reading=(1, 2))
    doubt = _sent("ours", 5, ours=True, call=(13, 14), reading=(10, 11))
    totals = Totals(now, 2 if now > 7 else 1)
    found = {("+15550000001", "1"): Found(totals, totals, None, None)}
    at = "2026-01-01T00:20:00+00:00"
    for rows in ([other, doubt], [other._replace(read_from=None, read_to=None), doubt]):
        verdicts = settled(rows, at, found, complete=True, content={})
        assert {who: verdict.outcome for who, verdict in verdicts.items()} == {"ours": outcome}


def test_a_row_is_settled_beside_one_that_turned_up_late() -> None:
    """Called absent at first, and there at the reading of now: it is part of what the contact grew by since then."""
    late = _sent("late", 7, ours=True, call=(3, 4), reading=(1, 2))._replace(
        in_doubt=False,
        code="settled",
        absent_since="2026-01-01T00:05:00+00:00",
        settled_at="2026-01-01T00:20:00+00:00",
    )
    doubt = _sent("ours", 5, ours=True, call=(13, 14), reading=(10, 11))
    for there, outcome in ((Totals(12, 2), "accepted"), (Totals(7, 1), "pending")):
        found = {("+15550000001", "1"): Found(there, there, None, None)}
        verdicts = settled([late, doubt], "2026-01-01T00:20:00+00:00", found, complete=True, content={})
        assert verdicts["ours"].outcome == outcome


def test_a_row_beside_a_call_that_goes_on_is_read_again_later() -> None:
    """What the numbers leave open only until the other push has ended keeps the code of a row not read yet."""
    other = _sent("theirs", 5, ours=False, call=(15, 30), reading=(1, 2))
    doubt = _sent("ours", 5, ours=True, call=(13, 14), reading=(10, 11))
    found = {("+15550000001", "1"): Found(Totals(5, 1), Totals(5, 1), None, None)}
    (verdict,) = settled(
        [other, doubt], "2026-01-01T00:20:00+00:00", found, complete=True, content={}
    ).values()
    assert (verdict.outcome, verdict.code) == (Outcome.IN_DOUBT, "no_answer")
    assert "another push" in verdict.message


def test_a_contact_that_cannot_be_read_is_not_taken_for_one_that_is_not_there(
    account: Account, settings: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """Totals that are null say nothing, so that nothing is sent again."""
    account.revenue.clear()
    write("sends.ndjson", rows := some_sends(1))
    write("revenue.ndjson", sales(rows, offer, ["5"]))
    contact = account.contact((rows[0]["to_number"], _list(account, rows[0])))
    assert contact
    total = contact["revenue_total"]

    def hide(_: int, __: Account) -> None:
        contact["revenue_total"] = None

    def show(_: str, __: Row) -> None:
        contact["revenue_total"] = total

    account.before_request, account.refuse = hide, show
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    report = push(settings, ["sends", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(1, in_doubt=1)
    assert [doubt.code for doubt in in_doubt(settings)] == ["no_reading"]
    assert len(account.revenue) == 1


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
    account.revenue.clear()
    write("sends.ndjson", rows := some_sends(1))
    write("revenue.ndjson", sales(rows, offer, ["5"]))
    key = (rows[0]["to_number"], _list(account, rows[0]))
    contact = account.contact(key)
    assert contact

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
    report = push(settings, ["sends", "revenue"])
    assert [doubt.code for doubt in in_doubt(settings)] == ["no_reading"]
    assert report.outcomes["revenue"] == Outcomes(1, in_doubt=1)
    assert len(account.revenue) == 1


@pytest.mark.parametrize("failing", [150, 450])
def test_revenue_of_which_too_few_errors_were_named_ends_with_an_outcome(
    account: Account, settings: Settings, write: Write, some_sends: Some, offer: str, failing: int
) -> None:
    """What the answer does not tell the totals do, and the rest goes again in calls that name every error."""
    account.revenue.clear()
    write("sends.ndjson", rows := some_sends(900))
    write("revenue.ndjson", sales(rows, offer, ["5", "2"]))
    pull(settings, ["offers"], "first")  # so that rows are not taken for risky
    account.refuse = lambda _, row: (
        ("offer_not_found", "No offer") if row.get("revenue") and bad(row) else None
    )

    def bad(row: Row) -> bool:
        return int(row["message_id"][1:]) < failing

    report = push(settings, ["sends", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(900, accepted=900 - failing, rejected=failing)
    assert stored(account) == Counter(row["id"] for row in rows[failing:])


def _list(account: Account, send: Row) -> int:
    return next(int(row["id"]) for row in account.lists if row["phone_number"] == send["list_number"])


LOSSES = ["reset-before", "reset-after", "half", "truncate", "html", "502"]


@hypothesis_settings(
    max_examples=examples(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**6))
def test_revenue_is_there_once_or_in_doubt_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings], seed: int
) -> None:
    """Lost answers at every stage, half-done calls, other revenue, deleted contacts, several rows a contact.

    In the end no row is there twice, what is accepted is there, and where nothing else touched the contact only
    rows that stand for one another are in doubt. An alarm stands for rows that were sent again, and only of contacts
    that earned other revenue, which totals do not tell from such a row; once it is acknowledged, the rest is sent.
    """
    chance = random.Random(seed)
    account = seed_account(contacts=60, seed=seed % 7)
    account.revenue.clear()
    touched: set[str] = set()

    def live(_: int, account: Account) -> None:
        if chance.random() < 0.08:
            row = chance.choice(account.contacts())
            touched.add(row["phone_number"])
            if chance.random() < 0.2:
                account.remove_contact((row["phone_number"], row["list_id"]))
            else:
                row["revenue_total"] = float(
                    Decimal(str(row["revenue_total"])) + chance.choice([1, 3, Decimal("0.5")])
                )
                row["conversion_count"] += 1

    tmp_path = tmp_path_factory.mktemp("once")
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data", concurrency=chance.randint(1, 4))
        settings.history.mkdir(parents=True)
        numbers = {row["id"]: row["phone_number"] for row in account.lists}
        offer = next(str(offer["id"]) for offer in account.offers if offer["status"] == "active")
        sends = []
        for n in range(150):
            contact = chance.choice(account.contacts())
            by = (
                {"list_id": contact["list_id"]}
                if chance.random() < 0.5
                else {"list_number": numbers[contact["list_id"]]}
            )
            sends.append(
                {"id": f"m{n:06}", "to_number": contact["phone_number"], "timestamp": "2024-05-01", **by}
            )
        write_rows(settings.history / "sends.ndjson", sends)
        write_rows(settings.history / "revenue.ndjson", sales(sends, offer, ["1", "1", "2", "0.5"]))
        push(settings, ["sends"])
        account.before_request = live
        for _ in range(chance.randint(1, 3)):
            server.faults.active.append(
                Fault(
                    chance.choice(LOSSES), method="POST", path="revenue", skip=chance.randint(0, 2), times=1
                )
            )
        phones = {row["id"]: row["to_number"] for row in sends}
        for _ in range(2):
            found = push_on(settings, touched)
        of = found.outcomes["revenue"]
        assert of.rows_in == 150
        assert of.pending == 0
        held = {
            (message, outcome)
            for message, outcome in query(
                settings.warehouse,
                "SELECT message_id, outcome FROM imports.records WHERE dataset = 'revenue'",
            )
        }
        there = stored(account)
        assert max(there.values(), default=0) <= 1
        doubts = Counter(phones[message] for message, outcome in held if outcome == "in_doubt")
        for message, outcome in held:
            if phones[message] in touched:
                continue  # an equal amount of other revenue may stand for ours; that none is there twice was seen
            assert outcome in ("accepted", "in_doubt")
            assert (outcome == "accepted") <= (there[message] == 1)
            assert doubts[phones[message]] != 1  # one row of one contact is always told


def push_on(settings: Settings, touched: set[str]) -> PushReport:
    """Push until no alarm stops it; each that does is acknowledged, and names no contact but those touched."""
    for _ in range(30):
        found = push(settings, ["revenue"])
        with open_ledger(settings) as ledger, ledger.begin("revenue") as connection:
            stopped = alarms(connection)
            assert found.unsettled.alarms == len(stopped)
            assert found.outcomes["revenue"].pending == 0 or stopped
            for alarm in stopped:
                assert alarm.sent_again > 0
                assert {row.contact for row in named(connection, alarm.alarm)} <= touched
                acknowledge(connection, alarm.alarm, "other revenue", now())
        if not stopped:
            return found
    raise AssertionError("an alarm after every push")


def write_rows(path: Path, rows: list[Row]) -> None:

    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_person_settles_what_no_reading_can(
    account: Account, either: Settings, server: Server, write: Write, some_sends: Some, offer: str
) -> None:
    """Rows in doubt are accepted, or sent again, or left out by a person's word, which is kept."""
    account.revenue.clear()
    write("sends.ndjson", rows := strangers(some_sends(9), 3))
    write("revenue.ndjson", [{**row, "record_id": row["message_id"]} for row in sales(rows, offer, ["5"])])

    def delete(_: int, account: Account) -> None:
        if account.revenue:
            for row in rows:
                account.remove_contact((row["to_number"], _list(account, row)))

    account.before_request = delete
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    push(either, ["sends", "revenue"])
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
    resolve(either, [third], Outcome.PENDING, "it is not there")
    assert outcomes(either)["revenue"] == Outcomes(3, accepted=1, rejected=1, pending=1)
    report = push(either, ["sends", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(3, accepted=1, rejected=2)  # the contact is not there
    assert query(
        either.warehouse, "SELECT identity, outcome, reason FROM imports.resolutions ORDER BY identity"
    ) == [
        (first, "accepted", "seen in the account"),
        (second, "rejected", "not wanted"),
        (third, "pending", "it is not there"),
    ]
