"""Revenue that may be in the account already, or stand in two files: held for a decision, and what is not held.

All cases are side by side in one account, each with a message of its own: three pushes, then either decision. The
ledger is on PostgreSQL; on SQLite decisions are in test_decided and test_replaced.
"""

import pickle
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from beginnings import Beginning
from histories import write_rows
from oracle import query

from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import PushReport, push
from pipelines.push.run import plan as plan_push
from pipelines.sandbox import Account
from pipelines.settings import Settings

REVENUE = ["revenue"]
Row = dict[str, Any]
Files = dict[str, list[Row]]
SALE = {"revenue": 5, "timestamp": "2024-06-01T00:00:00Z"}
LATER = {**SALE, "timestamp": "2024-06-02T00:00:00Z"}
UNTIMED = {"revenue": 5}
JUNE = (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))
MONTHS = [{**SALE, "timestamp": f"2024-0{month}-01T00:00:00Z"} for month in (6, 7, 8, 9)]
DAYS = [{"revenue": n, "timestamp": f"2024-06-0{n}T00:00:00Z"} for n in (2, 3, 4)]
EIGHT = {**SALE, "revenue": 8}


@dataclass(frozen=True)
class Case:
    """One message, and what the files have of it.

    Attributes:
        after: by the name of the file, its rows at the third push; none: the file is gone. Others stay as they were.
        before: the same at the first push, of a month.
        held: by code, how many rows wait or are quarantined after the third push.
        count: what the account has in the end if held rows are sales of their own.
        once: the same if they are not.
        then: the files at the second push.
        left: how many rows that were sent are no longer in the input as rows that can be sent.
        refused: whether the account refuses the rows of the first push; the third sends them again.
        last: the files of a plan after the decision.
        last_held: by file of that plan, how many of its rows wait, by code.
    """

    after: Files
    before: Files = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    count: tuple[float, ...] = (5,)
    once: tuple[float, ...] = (5,)
    then: Files = field(default_factory=dict)
    left: int = 0
    refused: bool = False
    last: Files = field(default_factory=dict)
    last_held: dict[str, dict[str, int]] = field(default_factory=dict)


CASES = {
    "equal rows of two files, and later of a third": Case(
        {"a": [SALE, SALE], "a (1)": [SALE, SALE]},
        held={"same_rows": 4},
        count=(5, 5, 5, 5),
        once=(5, 5),
        last={"a (2)": [SALE]},
        last_held={"a": {"same_rows": 1}},
    ),
    "equal rows of one file": Case({"b": [SALE, SALE]}, count=(5, 5), once=(5, 5)),
    "a copy of a file that was sent": Case(
        {"c (1)": [SALE, SALE]}, {"c": [SALE, SALE]}, {"same_rows": 2}, count=(5, 5, 5, 5), once=(5, 5)
    ),
    "another time": Case({"d": [LATER]}, {"d": [SALE]}, {"like_sent": 1}, count=(5, 5), left=1),
    "a record_id by now": Case(
        {"e": [{**SALE, "record_id": "e"}]}, {"e": [SALE]}, {"like_sent": 1}, count=(5, 5), left=1
    ),
    "another amount": Case(
        {"f": [{**SALE, "revenue": 31.5}, {**LATER, "revenue": 7.0001}]},
        {"f": [SALE, {**LATER, "revenue": 7.0001}]},
        {"new_amount": 1},
        count=(5, 7.0001, 31.5),
        once=(5, 7.0001),
        left=1,
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
        {"j": [{**SALE, "record_id": "j"}], "j2": [{**SALE, "record_id": "j", "revenue": 8}]},
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
        left=1,
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
    "another amount or time beside the row that was sent, and after its file has gone": Case(
        {"r": [], "r2": [{**SALE, "revenue": 31.5}, {"revenue": 32, "timestamp": "2024-09-09"}]},
        {"r": [SALE]},
        then={"r2": [{**SALE, "revenue": 31.5}]},
        count=(5, 31.5, 32),
        once=(5, 31.5, 32),
        left=1,
    ),
    "added to its file, whose place the next month's takes": Case(
        {"s": [], "s2": DAYS[2:]},
        {"s": [SALE]},
        then={"s": [DAYS[0], SALE, DAYS[1]]},
        count=(2, 3, 4, 5),
        once=(2, 3, 4, 5),
        left=3,
        last={"s2": [*DAYS[2:], {**SALE, "revenue": 9, "record_id": "s9"}]},
    ),
    "the same every month in one file, of which one month was sent first": Case(
        {},
        {"t": MONTHS[:3], "t2": [{**SALE, "revenue": 6, "timestamp": "2024-07-15T00:00:00Z"}]},
        then={"t": MONTHS},
        count=(5, 5, 5, 5, 6),
        once=(5, 5, 5, 5, 6),
        last={"t3": [{**SALE, "timestamp": "2024-10-01T00:00:00Z"}]},
        last_held={"t3": {"like_sent": 1}},
    ),
    "added to one file, and like what another sent that was there before": Case(
        {},
        {"u": [EIGHT], "u2": [SALE]},
        then={"u": [EIGHT, {**EIGHT, "timestamp": "2024-07-02T00:00:00Z"}]},
        count=(5, 8, 8),
        once=(5, 8, 8),
        last={"u2": [SALE, {**EIGHT, "record_id": "u2"}]},
        last_held={"u2": {"like_sent": 1}},
    ),
    "rejected, and sent from another file since": Case(
        {},
        {"v": [{**SALE, "record_id": "v1"}]},
        {"like_sent": 1},
        then={"v2": [{**LATER, "record_id": "again-v1"}]},
        count=(5, 5),
        refused=True,
    ),
    "rejected, and in another file of the same push": Case(
        {"v3": [{**LATER, "record_id": "again-v2"}]},
        {"v": [{**SALE, "record_id": "v2"}]},
        {"like_files": 2},
        count=(5, 5),
        refused=True,
    ),
    "beside rejected ones, and taken over by the ledger without digests": Case(
        {},
        {"v": [{**SALE, "record_id": "v3"}]},
        last={
            "v": [{**SALE, "record_id": "v3", "revenue": 6}],
            "v4": [{**LATER, "record_id": f"as-{n}", "revenue": n} for n in (5, 6, 7)],
        },
        last_held={"v4": {"like_sent": 2}},
    ),
    "changed in amount and time, alone in its file": Case(
        {"w": [{"revenue": 6, "timestamp": "2024-06-03T00:00:00Z"}]},
        {"w": [SALE]},
        {"replaced": 1},
        count=(5, 6),
        left=1,
    ),
    "in a file that is renamed": Case(
        {}, {"x": [EIGHT]}, count=(8,), once=(8,), last={"x": [], "x2": [EIGHT]}
    ),
    "changed in the file that is renamed": Case(
        {},
        {"x": [SALE]},
        last={"x": [], "x2": [{"revenue": 20, "timestamp": "2024-06-09T00:00:00Z"}]},
        last_held={"x2": {"replaced": 1}},
    ),
}
"""By message, m000000 first."""

MESSAGES = dict(zip((f"m{n:06}" for n in range(len(CASES))), CASES.values(), strict=True))
STEPS = ("before", "then", "after", "last")


def write_files(settings: Settings, offer: str, step: str) -> int:
    """Bring the files to where they are at a step; how many rows they have."""
    found: Files = defaultdict(list)
    for message, case in MESSAGES.items():
        files: Files = {}
        for name in STEPS[: STEPS.index(step) + 1]:
            files |= getattr(case, name)
        for name, rows in files.items():
            found[f"revenue-{name}.ndjson"] += [
                {**row, "message_id": message, "offer_id": offer} for row in rows
            ]
    for name, rows in found.items():
        path = write_rows(settings.history / name, rows)
        if not rows:
            path.unlink()
    return sum(map(len, found.values()))


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


def push_three_times(account: Account, settings: Settings, offer: str) -> PushReport:
    """The pushes before the decision; the last one's report."""
    refused = {message for message, case in MESSAGES.items() if case.refused}
    account.refuse = lambda _, row: ("offer_not_found", "No") if row["message_id"] in refused else None
    write_files(settings, offer, "before")
    first = push(settings, REVENUE, between=JUNE).outcomes["revenue"]
    assert (first.rejected, first.pending) == (2, 3), "those of other months wait"
    account.refuse = None
    write_files(settings, offer, "then")
    second = push(settings, REVENUE).outcomes["revenue"]
    assert (second.rejected, second.pending, second.parked) == (2, 0, 0)
    write_files(settings, offer, "after")
    return push(settings, REVENUE, retry_rejected=True)


@pytest.mark.parametrize("either", ["postgresql"], indirect=True)
def test_what_may_be_there_twice_waits_for_a_decision(
    account: Account, either: Settings, have_sends: Callable[[Settings], None], offer: str, tmp_path: Path
) -> None:
    """Held until somebody decides, and nothing else is; the decision is kept, and what comes later is held again."""
    have_sends(either)
    report = push_three_times(account, either, offer)
    there, waiting = by_message(account), held(either)
    for message, (name, case) in zip(MESSAGES, CASES.items(), strict=True):
        assert waiting[message] == case.held, name
        assert case.held or there[message] == case.count == case.once, name
    parked = report.outcomes["revenue"].parked
    assert parked == sum(
        rows for case in CASES.values() for code, rows in case.held.items() if code not in ("conflict", "")
    )
    assert [rows for reason, rows in report.reasons["revenue"].items() if "another file" in reason] == [5]

    data = shutil.copytree(either.data_dir, tmp_path / "undecided")
    undecided = Beginning(pickle.dumps(account), data)
    copied = either.model_copy(update={"ledger_url": f"{either.ledger_url}_copy"})
    server, _, name = str(either.ledger_url).rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
    decide(account, either, offer, Choice.COUNT)
    shutil.rmtree(either.data_dir)
    undecided.restore(account, copied)
    decide(account, copied, offer, Choice.ONCE)


def decide(account: Account, settings: Settings, offer: str, choice: Choice) -> None:
    """Decide about what is held, look at what became of it, and at what later files have."""
    decided = {message: tuple(getattr(case, choice.value)) for message, case in MESSAGES.items()}
    rows_in = write_files(settings, offer, "after")
    done = push(settings, REVENUE, retry_rejected=True, decision=Decision(choice, "asked accounting"))
    assert by_message(account) == decided
    accepted = sum(map(len, decided.values())) - sum(case.left for case in CASES.values())
    assert done.outcomes["revenue"] == Outcomes(
        rows_in, accepted=accepted, quarantined=5, duplicate=rows_in - accepted - 5
    )
    assert done.intakes["revenue"].decided == 21, "kinds of rows, and what has left"

    write_files(settings, offer, "last")
    with open_ledger(settings) as ledger, ledger.begin() as connection:
        (message,) = (message for message, case in MESSAGES.items() if "v4" in case.last)
        taken_over = "UPDATE push_rows SET content = NULL, likeness = NULL WHERE message_id = "
        connection.execute(sa.text(f"{taken_over}'{message}'"))
    planned = plan_push(settings, REVENUE).plans["revenue"]
    waiting = {
        file.path.stem.removeprefix("revenue-"): of
        for file in planned.files
        if (of := {group.code: group.rows for group in file.groups if group.outcome == "parked"})
    }
    assert waiting == {name: of for case in CASES.values() for name, of in case.last_held.items()}
    assert (planned.intake.known, planned.intake.pending) == (accepted - 1, 2), "one has left its file"
    assert by_message(account) == decided
