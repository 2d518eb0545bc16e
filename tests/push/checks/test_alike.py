"""Revenue alike in different files of one input, none of it sent yet: perhaps one sale."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account, seed_account
from pipelines.settings import Settings

ALL = ["sends", "clicks", "revenue"]
REVENUE = ["revenue"]
Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]


@pytest.fixture
def account() -> Account:
    """A few people: the totals of all of them are read before each push of revenue."""
    return seed_account(contacts=40)


@pytest.fixture
def sale(write: Write, some_sends: Callable[[int], list[Row]], offer: str, account: Account) -> Row:
    """A sale of the first of three sends; the account has no other revenue."""
    account.revenue.clear()
    write("sends.ndjson", some_sends(3))
    return {"message_id": "m000000", "offer_id": offer, "revenue": 8, "timestamp": "2024-05-02"}


@pytest.mark.parametrize(("choice", "there"), [(Choice.COUNT, [4, 8, 8, 8]), (Choice.ONCE, [4, 8, 8])])
def test_sales_alike_of_two_files_wait_for_a_decision(
    account: Account, settings: Settings, write: Write, sale: Row, choice: Choice, there: list[int]
) -> None:
    """Held in both files; as one sale, the file with the most of them counts; other messages and amounts go."""
    other = {**sale, "message_id": "m000001"}
    untimed = {name: value for name, value in sale.items() if name != "timestamp"}
    write("revenue-f.ndjson", [{**sale, "record_id": "E1"}, {**sale, "revenue": 4}])
    write("revenue-f2.ndjson", [untimed, {**sale, "record_id": "E2"}])
    write("revenue-g.ndjson", [{**other, "revenue": 1}, {**other, "revenue": 2}])
    assert plan_push(settings, ALL).plans["revenue"].intake.parked == 3
    report = push(settings, ALL)
    assert report.outcomes["revenue"] == Outcomes(6, accepted=3, parked=3)
    ((reason, rows),) = report.reasons["revenue"].items()
    assert ("another file" in reason, rows) == (True, 3)
    assert push(settings, REVENUE).outcomes == {"revenue": report.outcomes["revenue"]}
    done = push(settings, REVENUE, decision=Decision(choice, "asked accounting"))
    first = [row["revenue"] for row in account.revenue if row["message_id"] == "m000000"]
    assert sorted(first) == there
    assert done.outcomes["revenue"] == Outcomes(6, accepted=len(there) + 2, duplicate=4 - len(there))
    assert done.intakes["revenue"].decided == 3
    twice = push(settings, REVENUE, decision=Decision(choice, "nothing is held any more"))
    assert (twice.outcomes, twice.intakes["revenue"].decided) == (done.outcomes, 0)
    assert len(account.revenue) == len(there) + 2


def test_a_row_added_to_one_file_is_compared_with_what_another_file_sent(
    account: Account, settings: Settings, write: Write, sale: Row
) -> None:
    """Also where its file was there when that one was sent; in the file of that one it is another sale."""
    write("revenue-f.ndjson", [sale])
    write("revenue-f2.ndjson", [{**sale, "revenue": 5}])
    push(settings, ALL)
    later = {**sale, "timestamp": "2024-06-02"}
    write("revenue-f.ndjson", [sale, later])
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(3, accepted=3)
    write("revenue-f2.ndjson", [{**sale, "revenue": 5}, {**sale, "record_id": "E1"}])
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(4, accepted=3, parked=1)
    assert sorted(row["revenue"] for row in account.revenue) == [5, 8, 8]
