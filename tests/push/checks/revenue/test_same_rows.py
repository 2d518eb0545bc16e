"""Revenue that may be in the account already, or stand in two files: held for a decision, and what is not held."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from histories import write_rows
from oracle import query

from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account
from pipelines.settings import Settings

REVENUE = ["revenue"]
Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]

SALE = {"revenue": 5, "timestamp": "2024-06-01T00:00:00Z"}
LATER = {**SALE, "timestamp": "2024-06-02T00:00:00Z"}
UNTIMED = {"revenue": 5}


@dataclass(frozen=True)
class Case:
    """One message, and what the files have of it.

    Attributes:
        before: by the name of the file, its rows when it is pushed first.
        after: the same of the files that are pushed next; those of `before` stay unless they are here.
        held: by code, how many rows wait or are quarantined.
        count: what the account has in the end if held rows are sales of their own.
        once: the same if they are not.
    """

    after: dict[str, list[Row]]
    before: dict[str, list[Row]] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    count: tuple[float, ...] = (5,)
    once: tuple[float, ...] = (5,)

    @property
    def left(self) -> int:
        """How many rows that were sent are no longer in the input as rows that can be sent."""
        known = {
            row.get("record_id")
            for rows in self.after.values()
            for row in rows
            if row.get("timestamp") != "soon"
        }
        rows = [(row, name) for name, rows in self.before.items() if name in self.after for row in rows]
        return sum(
            row.get("record_id") not in known if "record_id" in row else row not in self.after[name]
            for row, name in rows
        )


CASES = {
    "equal rows of two files": Case(
        {"a": [SALE, SALE], "a (1)": [SALE, SALE]}, held={"same_rows": 4}, count=(5, 5, 5, 5), once=(5, 5)
    ),
    "equal rows of one file": Case({"b": [SALE, SALE]}, count=(5, 5), once=(5, 5)),
    "a copy of a file that was sent": Case(
        {"c (1)": [SALE, SALE]}, {"c": [SALE, SALE]}, {"same_rows": 2}, count=(5, 5, 5, 5), once=(5, 5)
    ),
    "another time": Case({"d": [LATER]}, {"d": [SALE]}, {"like_sent": 1}, count=(5, 5)),
    "a record_id by now": Case(
        {"e": [{**SALE, "record_id": "e"}]}, {"e": [SALE]}, {"like_sent": 1}, count=(5, 5)
    ),
    "another amount": Case(
        {"f": [{**SALE, "revenue": 31.5}, {**LATER, "revenue": 7.0001}]},
        {"f": [SALE, {**LATER, "revenue": 7.0001}]},
        {"new_amount": 1},
        count=(5, 7.0001, 31.5),
        once=(5, 7.0001),
    ),
    "another amount beside the row that was sent": Case(
        {"g (1)": [{**SALE, "revenue": 31.5}]}, {"g": [SALE]}, count=(5, 31.5), once=(5, 31.5)
    ),
    "alike in two files, of which the one with the most counts": Case(
        {
            "h": [{**SALE, "record_id": "h1"}, {**SALE, "revenue": 4}],
            "h2": [UNTIMED, {**SALE, "record_id": "h2"}],
        },
        held={"like_files": 3},
        count=(4, 5, 5, 5),
        once=(4, 5, 5),
    ),
    "one record_id with two amounts, in one file": Case(
        {"i": [{**SALE, "record_id": "i"}, {**SALE, "record_id": "i", "revenue": 7}]},
        held={"conflict": 2},
        count=(),
        once=(),
    ),
    "one record_id with two amounts, in two files": Case(
        {
            "j": [{**SALE, "record_id": "j"}],
            "j2": [{**SALE, "record_id": "j", "revenue": 8}],
        },
        held={"conflict": 2},
        count=(),
        once=(),
    ),
    "one record_id twice": Case({"k": [{**SALE, "record_id": "k"}, {**SALE, "record_id": "k"}]}),
    "corrected since it was sent, and in another file as it is now": Case(
        {"l": [{**SALE, "record_id": "l"}], "l2": [{**LATER, "record_id": "l2"}]},
        {"l": [{**SALE, "record_id": "l", "revenue": 6}]},
        {"like_sent": 1},
        count=(5, 6),
        once=(6,),
    ),
    "corrected since, and in another file as it was sent": Case(
        {"m": [{**SALE, "record_id": "m", "revenue": 6}], "m2": [LATER]},
        {"m": [{**SALE, "record_id": "m"}]},
        {"like_sent": 1},
        count=(5, 5),
    ),
    "corrected since, and beside it in its file other sales like what it was and is": Case(
        {"n": [{**SALE, "record_id": "n"}, {**LATER, "record_id": "n2"}, {**LATER, "revenue": 6}]},
        {"n": [{**SALE, "record_id": "n", "revenue": 6}]},
        count=(5, 6, 6),
        once=(5, 6, 6),
    ),
    "corrected and broken since": Case(
        {"o": [{**SALE, "record_id": "o", "timestamp": "soon"}], "o2": [{**SALE, "record_id": "o2"}]},
        {"o": [{**LATER, "record_id": "o", "revenue": 6}]},
        {"": 1, "like_sent": 1},
        count=(5, 6),
        once=(6,),
    ),
    "numbered again": Case(
        {"p": [{**UNTIMED, "record_id": "p1", "revenue": 6}, {**SALE, "record_id": "p2"}]},
        {"p": [{**SALE, "record_id": "p1"}]},
        {"like_sent": 1},
        count=(5, 5),
    ),
    "numbered again, and corrected": Case(
        {"q": [{**LATER, "record_id": "q1", "revenue": 6}, {**SALE, "record_id": "q2", "revenue": 5.5}]},
        {"q": [{**SALE, "record_id": "q1"}]},
        {"replaced": 1},
        count=(5, 5.5),
    ),
}
"""By message, m000000 first."""

MESSAGES = dict(zip((f"m{n:06}" for n in range(len(CASES))), CASES.values(), strict=True))


def files_of(cases: dict[str, dict[str, list[Row]]], offer: str) -> dict[str, list[Row]]:
    """The files of some messages, by name."""
    found: dict[str, list[Row]] = defaultdict(list)
    for message, files in cases.items():
        for name, rows in files.items():
            found[f"revenue-{name}.ndjson"] += [
                {**row, "message_id": message, "offer_id": offer} for row in rows
            ]
    return found


def by_message(account: Account) -> dict[str, tuple[float, ...]]:
    """What the account has of each message."""
    found: dict[str, list[float]] = {message: [] for message in MESSAGES}
    for row in account.revenue:
        found[row["message_id"]].append(row["revenue"])
    return {message: tuple(sorted(amounts)) for message, amounts in found.items()}


def held(settings: Settings) -> dict[str, dict[str, int]]:
    """By message, how many of its rows are left out under which code."""
    found: dict[str, dict[str, int]] = {message: {} for message in MESSAGES}
    for message, code, rows in query(
        settings.warehouse,
        "SELECT message_id, code, count(*) FROM imports.records"
        " WHERE in_input AND dataset = 'revenue' AND outcome IN ('parked', 'quarantined') GROUP BY ALL",
    ):
        found[message][code or ""] = rows
    return found


@pytest.mark.parametrize(
    ("either", "choice"), [("sqlite", Choice.COUNT), ("postgresql", Choice.ONCE)], indirect=["either"]
)
def test_what_may_be_there_twice_waits_for_a_decision(
    account: Account, either: Settings, have_sends: Callable[[Settings], None], offer: str, choice: Choice
) -> None:
    """Held until somebody decides, and nothing else is; the decision is kept, and what comes later is held again."""
    have_sends(either)
    before = files_of({m: case.before for m, case in MESSAGES.items()}, offer)
    after = files_of({m: case.after for m, case in MESSAGES.items()}, offer)
    decided = {m: tuple(getattr(case, choice.value)) for m, case in MESSAGES.items()}
    waiting = {m: case.held for m, case in MESSAGES.items()}
    parked = sum(rows for of in waiting.values() for code, rows in of.items() if code not in ("conflict", ""))

    for name, rows in before.items():
        write_rows(either.history / name, rows)
    push(either, REVENUE)
    for name, rows in after.items():
        write_rows(either.history / name, rows)
    report = push(either, REVENUE)
    assert held(either) == waiting
    assert report.outcomes["revenue"].parked == parked
    assert [rows for reason, rows in report.reasons["revenue"].items() if "another file" in reason] == [3]
    there = by_message(account)
    free = [message for message, case in MESSAGES.items() if not case.held]
    assert [there[message] for message in free] == [decided[message] for message in free]

    done = push(either, REVENUE, decision=Decision(choice, "asked accounting"))
    assert by_message(account) == decided
    rows_in = sum(map(len, {**before, **after}.values()))
    accepted = sum(map(len, decided.values())) - sum(case.left for case in MESSAGES.values())
    assert done.outcomes["revenue"] == Outcomes(
        rows_in, accepted=accepted, quarantined=5, duplicate=rows_in - accepted - 5
    )
    assert done.intakes["revenue"].decided == parked - 1, "kinds of rows, and what has left"

    copy = write_rows(either.history / "revenue-z.ndjson", after["revenue-a.ndjson"][:1])
    planned = plan_push(either, REVENUE).plans["revenue"]
    assert planned.intake.parked == 1
    assert [group.code for file in planned.files for group in file.groups if group.outcome == "parked"] == [
        "same_rows"
    ]
    copy.unlink()
    more = Decision(choice, "nothing is held any more")
    again = plan_push(either, REVENUE, decision=more).plans["revenue"].intake
    assert (again.known, again.parked, again.pending, again.decided) == (accepted, 0, 0, 0)
    assert by_message(account) == decided


def test_new_sales_of_a_message_are_not_held(
    account: Account, settings: Settings, have_sends: Callable[[Settings], None], write: Write, offer: str
) -> None:
    """Another amount or time beside the row that was sent or after its file has gone; rows that are added to a file.

    And those of a file of the next month: no row has left the file, or the whole file has and another has none of it.
    """
    have_sends(settings)
    here, there = ({**SALE, "message_id": f"m{n:06}", "offer_id": offer} for n in range(2))
    later = [{**there, "revenue": n, "timestamp": f"2024-06-0{n}T00:00:00Z"} for n in (2, 3, 4)]
    write("revenue-a.ndjson", [here])
    write("revenue-05.ndjson", [there])
    push(settings, REVENUE)
    write("revenue-b.ndjson", [{**here, "revenue": 31.5}])
    write("revenue-05.ndjson", [later[0], there, later[1]])
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(5, accepted=5)
    for name in ("a", "05"):
        (settings.history / f"revenue-{name}.ndjson").unlink()
    write("revenue-b.ndjson", [{**here, "revenue": 31.5}, {**here, "revenue": 32, "timestamp": "2024-09-09"}])
    write("revenue-06.ndjson", [later[2]])
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(3, accepted=3)
    write("revenue-06.ndjson", [later[2], {**there, "revenue": 9, "record_id": "r9"}])
    found = plan_push(settings, REVENUE).plans["revenue"].intake
    assert (found.known, found.parked, found.pending) == (3, 0, 1)
    assert sorted(row["revenue"] for row in account.revenue) == [2, 3, 4, 5, 5, 31.5, 32]


def test_sales_alike_of_one_file_all_go(
    account: Account, settings: Settings, have_sends: Callable[[Settings], None], write: Write, offer: str
) -> None:
    """A message that earns the same every month: what stood in the file beside the sent one is another sale.

    A row that is added to one file is compared with what another file sent, also where its file was there when that
    one was sent; in the file of that one it is another sale.
    """
    have_sends(settings)
    sale, there = ({**SALE, "message_id": f"m{n:06}", "offer_id": offer} for n in range(2))
    months = [{**sale, "timestamp": f"2024-0{month}-01T00:00:00Z"} for month in (6, 7, 8)]
    write("revenue-a.ndjson", months)
    write("revenue-b.ndjson", [{**sale, "revenue": 6, "timestamp": "2024-06-02T00:00:00Z"}])
    eight = {**there, "revenue": 8}
    write("revenue-f.ndjson", [eight])
    write("revenue-f2.ndjson", [there])
    june = (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 2, tzinfo=UTC))
    some = push(settings, REVENUE, between=june)
    assert some.outcomes["revenue"] == Outcomes(6, accepted=3, pending=3)
    write("revenue-a.ndjson", [*months, {**sale, "timestamp": "2024-09-01T00:00:00Z"}])
    write("revenue-f.ndjson", [eight, {**eight, "timestamp": "2024-07-02T00:00:00Z"}])
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(8, accepted=8)
    assert sorted(row["revenue"] for row in account.revenue) == [5, 5, 5, 5, 5, 6, 8, 8]
    write("revenue-c.ndjson", [{**sale, "timestamp": "2024-10-01T00:00:00Z"}])
    write("revenue-f2.ndjson", [there, {**eight, "record_id": "E1"}])
    found = plan_push(settings, REVENUE).plans["revenue"]
    assert (found.intake.known, found.intake.parked, found.intake.pending) == (8, 2, 0)
    held_in = [
        file.path.name for file in found.files if any(group.outcome == "parked" for group in file.groups)
    ]
    assert held_in == ["revenue-c.ndjson", "revenue-f2.ndjson"]


def test_a_rejected_sale_is_not_sent_beside_one_like_it(
    account: Account, settings: Settings, have_sends: Callable[[Settings], None], write: Write, offer: str
) -> None:
    """Another file has brought it since, or brings it in the same push; beside a rejected row it is sent."""
    have_sends(settings)
    rejected = [{**SALE, "message_id": f"m{n:06}", "offer_id": offer, "record_id": f"r{n}"} for n in range(2)]
    again = [{**row, **LATER, "record_id": f"again-{row['record_id']}"} for row in rejected]
    account.refuse = lambda _, record: ("offer_not_found", "No") if record["message_id"] < "m000002" else None
    write("revenue-a.ndjson", [*rejected, {**rejected[0], "message_id": "m000002", "record_id": "r2"}])
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(3, accepted=1, rejected=2)
    account.refuse = None
    write("revenue-b.ndjson", again[:1])
    assert push(settings, REVENUE).outcomes["revenue"].accepted == 2
    write("revenue-c.ndjson", again[1:])
    done = push(settings, REVENUE, retry_rejected=True)
    assert done.outcomes["revenue"] == Outcomes(5, accepted=2, parked=3)
    assert {m: codes for m, codes in held(settings).items() if codes} == {
        "m000000": {"like_sent": 1},
        "m000001": {"like_files": 2},
    }
    assert sorted(row["message_id"] for row in account.revenue) == ["m000000", "m000002"]

    with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE push_rows SET content = NULL, likeness = NULL")  # as it was taken over
    sent = {**SALE, "message_id": "m000002", "offer_id": offer}
    write("revenue-a.ndjson", [*rejected, {**sent, "revenue": 6, "record_id": "r2"}])
    write("revenue-c.ndjson", [{**LATER, **sent, "record_id": f"as-{n}", "revenue": n} for n in (5, 6, 7)])
    found = plan_push(settings, REVENUE).plans["revenue"].intake
    assert (found.parked, found.pending) == (3, 1), "as it was sent, and as it is now"
