"""Revenue that was sent and has left its file: a new row of its message may be what it was corrected to.

Cases stand side by side in one account, each with four people, files and messages of its own. They go through a push,
one of the files as they are then, a decision, and what comes after it. That rows count is decided in test_same_rows.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from histories import write_rows
from oracle import query

from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account, seed_account
from pipelines.settings import Settings

BOTH, REVENUE = ["sends", "revenue"], ["revenue"]
Row = dict[str, Any]
Files = dict[str, list[Row]]
Some = Callable[[int], list[Row]]
PEOPLE = "abcd"


def sold(message: str, revenue: float = 5, at: str = "2024-06-01", **more: Any) -> Row:
    """A sale of one of a case's messages: a small letter is the first one to its person, a capital the second one."""
    return {
        "message_id": message,
        "revenue": revenue,
        "timestamp": at if "T" in at else f"{at}T00:00:00Z",
        **more,
    }


@dataclass(frozen=True)
class Case:
    """Four people, and what the files have of them.

    Attributes:
        new: by name, the files at the second push, in place of the old one.
        waits: how many rows of them wait.
        old: the file "old" at the first push; it stays if it is in `new`.
        unknown: the message whose sale has no amount in the ledger, as of an earlier version.
    """

    new: Files
    waits: int
    old: list[Row]
    unknown: str = ""

    @property
    def known(self) -> int:
        """How many rows of the new files were sent with the old one."""
        return sum(row in self.old for rows in self.new.values() for row in rows)

    @property
    def free(self) -> int:
        """How many rows of the new files are sent."""
        return sum(map(len, self.new.values())) - self.known - self.waits


STAYS, MOVED, THEIRS = sold("b", 8), sold("A", at="2024-06-02"), [sold("c"), sold("d")]
CHANGED, MORE, NUMBERED = (
    sold("a", 31.5, "2024-06-02"),
    sold("a", 9, "2024-07-01"),
    sold("a", 8, record_id="{}r8"),
)
SALES = [sold("a"), STAYS]
EXPORT = [sold(person, 5 + n, f"2024-06-{n + 1:02}T08:00:00Z") for n, person in enumerate(PEOPLE)]
EXPORTED = [{**EXPORT[0], "record_id": "{}a"}, *EXPORT[1:]]
"""What a file had; {} is the case's place."""


def new_exports(old: list[Row]) -> tuple[Files, Files]:
    """Exports of the same people: those that only correct what an old one said, and those with sales of their own."""

    def each(**changed: Callable[[Row], Any]) -> list[Row]:
        return [{**row, **{name: of(row) for name, of in changed.items()}} for row in old]

    shifted = {"timestamp": lambda row: row["timestamp"].replace("T08", "T13")}
    dearer = {"revenue": lambda row: row["revenue"] * 2 + 1}
    renamed = {"message_id": lambda row: row["message_id"].upper()}
    numbered = {"record_id": lambda row: f"{{}}b-{row['message_id']}"}
    other_offer = {"offer_id": lambda _: "other"}
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


CORRECTED, FRESH = new_exports(EXPORT)
CASES = {
    "put to another message of the contact, in a file that keeps what it had": Case(
        {"old": [MOVED, STAYS]}, 1, SALES
    ),
    "the same in a file that has only what is new": Case({"old": [MOVED]}, 0, SALES),
    "another contact and day": Case({"old": [sold("c", at="2024-06-02"), STAYS]}, 0, SALES),
    "a day's sales of others, in a file that only has what is new": Case({"old": THEIRS}, 0, SALES),
    "a day's sales of others, in another file": Case({"old": [STAYS], "new": THEIRS}, 0, SALES),
    "a day's sales of others, in a file that has none of what was sent": Case({"new": THEIRS}, 0, SALES),
    "others in one that took the place of the old one": Case({"new": [STAYS, *THEIRS]}, 1, SALES),
    "others, of whom as many wait as have left": Case({"old": [*THEIRS, STAYS]}, 1, SALES),
    "either of the two may be the one that has left": Case({"old": [THEIRS[0], STAYS, MORE]}, 2, SALES),
    "two of one day and amount put to others, one of them to a message of its contact": Case(
        {"old": [sold("A"), sold("d"), STAYS]}, 2, [sold("a"), sold("c"), STAYS]
    ),
    "put to another contact": Case({"old": [THEIRS[0], STAYS]}, 1, SALES),
    "changed in amount and time, and renamed later": Case({"old": [CHANGED, STAYS, NUMBERED]}, 1, SALES),
    "changed in amount and time, and added to later": Case({"old": [CHANGED, STAYS, NUMBERED]}, 1, SALES),
    "a later sale of its message, in another file": Case({"new": [MORE]}, 0, SALES),
    "the same where the amount that was sent is not known": Case({"new": [MORE]}, 1, SALES, unknown="a"),
    **{f"corrected: {name}": Case({"new": rows}, len(rows), EXPORTED) for name, rows in CORRECTED.items()},
    **{f"sales of their own: {name}": Case({"new": rows}, 0, EXPORTED) for name, rows in FRESH.items()},
    "half a file is not taken for the whole": Case(
        {"new": CORRECTED["ids"][:2] + CORRECTED["time-and-amount"][2:]}, 2, EXPORTED
    ),
}
LATER: dict[str, tuple[Files, tuple[int, int, int, int]]] = {
    "put to another contact": ({"old": [*THEIRS, STAYS]}, (1, 1, 1, 0)),
    "changed in amount and time, and renamed later": (
        {"old": [STAYS, NUMBERED], "new": [CHANGED]},
        (2, 0, 1, 0),
    ),
    "changed in amount and time, and added to later": (
        {"old": [CHANGED, STAYS, NUMBERED, sold("a", 3, "2024-07-01")]},
        (2, 1, 1, 0),
    ),
    "corrected: ids": ({"new": CORRECTED["ids"]}, (0, 0, 4, 0)),
}
"""Files of some cases after the decision, and how many of their rows are known, new, duplicate and parked then."""
PLACES = {name: f"{place:02}" for place, name in enumerate(CASES)}


@pytest.fixture
def account() -> Account:
    """An account with four people a case, without revenue."""
    account = seed_account(contacts=8 * len(CASES))
    account.revenue.clear()
    return account


@pytest.fixture
def write_files(settings: Settings, account: Account, offer: str) -> Callable[[dict[str, Files]], None]:
    """Make the files of revenue those of some cases."""
    other = next(row["id"] for row in account.offers if row["status"] == "active" and row["id"] != offer)

    def write(files: dict[str, Files]) -> None:
        for path in settings.history.glob("revenue-*"):
            path.unlink()
        for case, of in files.items():
            place = PLACES[case]
            for name, rows in of.items():
                given = [{"offer_id": offer, **row, "message_id": place + row["message_id"]} for row in rows]
                for row in given:
                    if "record_id" in row:
                        row["record_id"] = row["record_id"].format(place)
                    if row["offer_id"] == "other":
                        row["offer_id"] = other
                write_rows(settings.history / f"revenue-{place}-{name}.ndjson", given)

    return write


def waiting(settings: Settings) -> tuple[dict[str, int], set[str]]:
    """By place, how many rows are parked; and with which codes."""
    found = query(
        settings.warehouse,
        "SELECT message_id[:2], code FROM imports.records WHERE in_input AND outcome = 'parked'",
    )
    return Counter(place for place, _ in found), {code for _, code in found}


def stored(account: Account) -> dict[str, int]:
    """By place, how many sales the account has."""
    return Counter(row["message_id"][:2] for row in account.revenue)


def planned(settings: Settings) -> tuple[int, int, int, int]:
    """Of the files as they are now, how many rows are known, new, duplicate and parked."""
    found = plan_push(settings, REVENUE).plans["revenue"].intake
    return found.known, found.pending, found.duplicate, found.parked


def test_a_row_that_may_be_what_a_sent_one_was_corrected_to_waits_for_a_decision(
    account: Account, settings: Settings, some_sends: Some, write_files: Callable[[dict[str, Files]], None]
) -> None:
    """By what the new file says of the old one's messages and contacts; the plan and the push agree.

    A decision holds under another name of the file, and without the archive; what comes later is held or sent anew.
    """
    people = some_sends(4 * len(CASES))
    assert len({row["to_number"] for row in people}) == len(people)
    ids = [f"{place}{person}" for place in PLACES.values() for person in PEOPLE]
    sends = [{**row, "id": name} for row, name in zip(people, ids, strict=True)]
    write_rows(settings.history / "sends.ndjson", sends + [{**row, "id": row["id"].upper()} for row in sends])
    write_files({name: {"old": case.old} for name, case in CASES.items()})
    push(settings, BOTH)
    with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger, ledger:
        forget = "UPDATE push_rows SET amount = NULL WHERE dataset = 'revenue' AND message_id = ?"
        ledger.executemany(forget, [(PLACES[name] + case.unknown,) for name, case in CASES.items()])

    write_files({name: case.new for name, case in CASES.items()})
    plan = plan_push(settings, REVENUE).plans["revenue"]
    in_plan: Counter[str] = Counter()
    for file in plan.files:
        in_plan[file.path.name.split("-")[1]] += sum(group.rows for group in file.groups)
    known, waits = sum(case.known for case in CASES.values()), sum(case.waits for case in CASES.values())
    assert (plan.intake.known, plan.intake.duplicate, plan.intake.parked) == (known, 0, waits)
    report = push(settings, REVENUE)
    parked, codes = waiting(settings)
    for name, case in CASES.items():
        assert in_plan[PLACES[name]] == parked[PLACES[name]] == case.waits, name
        assert stored(account)[PLACES[name]] == len(case.old) + case.free, name
    assert codes == {"replaced"}
    free = sum(case.free for case in CASES.values())
    assert report.outcomes["revenue"] == Outcomes(known + free + waits, accepted=known + free, parked=waits)

    before = stored(account)
    numbered = {**CHANGED, "record_id": "{}r9"}
    place = "changed in amount and time, and renamed later"
    write_files(
        {name: case.new | ({"copy": [numbered]} if name == place else {}) for name, case in CASES.items()}
    )
    once = push(settings, REVENUE, decision=Decision(Choice.ONCE, "a correction"))
    assert once.outcomes["revenue"] == Outcomes(
        known + free + waits + 1, accepted=known + free, duplicate=waits + 1
    ), "nor is one like it sent in its place"
    write_files({name: files for name, (files, _) in LATER.items()})
    expected = tuple(map(sum, zip(*(counts for _, counts in LATER.values()), strict=True)))
    assert planned(settings) == expected
    for path in (settings.parquet_dir / "imports" / "revenue").glob("*.parquet"):
        path.unlink()
    assert planned(settings) == expected, "a decision holds without the archive"
    assert stored(account) == before
