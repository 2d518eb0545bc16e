"""Exports that overlap and are pushed one by one: equal revenue without a record_id is held."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account
from pipelines.settings import Settings

REVENUE = ["revenue"]
Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]


@pytest.fixture
def sales(offer: str, have_sends: Callable[[Settings], None], settings: Settings) -> list[Row]:
    """Sales of three sends, which are in the account; it has no other revenue."""
    have_sends(settings)
    return [
        {
            "message_id": f"m00000{n}",
            "offer_id": offer,
            "revenue": n + 1,
            "timestamp": f"2024-05-0{n + 2}T00:00:00Z",
        }
        for n in range(3)
    ]


def amounts(account: Account) -> list[int]:
    return sorted(row["revenue"] for row in account.revenue)


def test_exports_that_overlap_are_held_across_runs(
    account: Account, settings: Settings, write: Write, sales: list[Row]
) -> None:
    """The row of both is parked until it is decided, the others are sent; the decision stays, in either order."""
    may, june = write("revenue-may.ndjson", sales[:2]), write("revenue-june.ndjson", sales[1:])
    assert push(settings, REVENUE, [may]).outcomes["revenue"] == Outcomes(2, accepted=2)
    planned = plan_push(settings, REVENUE, [june]).plans["revenue"]
    assert (planned.intake.parked, planned.intake.pending) == (1, 1)
    ((group,),) = (file.groups for file in planned.files)
    assert (group.code, group.examples[0].places) == ("same_rows", "revenue-may.ndjson")
    assert push(settings, REVENUE, [june]).outcomes["revenue"] == Outcomes(2, accepted=1, parked=1)
    assert amounts(account) == [1, 2, 3]
    once = push(settings, REVENUE, [june], decision=Decision(Choice.ONCE, "asked accounting"))
    assert (once.intakes["revenue"].decided, amounts(account)) == (1, [1, 2, 3])
    july = write("revenue-july.ndjson", [sales[0], {**sales[2], "message_id": "m000003", "revenue": 9}])
    count = push(settings, REVENUE, [july], decision=Decision(Choice.COUNT, "at once"))
    assert (count.intakes["revenue"].decided, amounts(account)) == (1, [1, 1, 2, 3, 9])
    for files in ([may], [june], [july, june, may]):
        again = plan_push(settings, REVENUE, files).plans["revenue"].intake
        assert (again.quarantined, again.parked, again.pending) == (0, 0, 0)


def test_a_file_that_grew_was_renamed_converted_or_cut_is_the_same(
    account: Account, settings: Settings, write: Write, sales: list[Row]
) -> None:
    """All that was sent from it is in the input, so that nothing is held; a file at the same path is itself.

    Equal rows within one file are sales each; a third one in another file is held, however often it was sent.
    """
    first = write("revenue.ndjson", sales[:2])
    push(settings, REVENUE, [first])
    write("revenue.ndjson", [*sales[:2], sales[1]])
    assert push(settings, REVENUE, [first]).outcomes["revenue"] == Outcomes(3, accepted=3)
    other = write("revenue-b.ndjson", [sales[1]])
    assert plan_push(settings, REVENUE, [other]).plans["revenue"].intake.parked == 1
    assert amounts(account) == [1, 2, 2]
    renamed = write("revenue-0.ndjson", [*sales, sales[1]])
    assert push(settings, REVENUE, [renamed]).outcomes["revenue"] == Outcomes(4, accepted=4)
    cut = [write("revenue-1.ndjson", sales[:1]), write("revenue-2.ndjson", [*sales[1:], sales[1]])]
    first.write_text(renamed.read_text().splitlines()[1] + "\n")
    for files, known in ((cut, 4), ([first], 1)):
        found = plan_push(settings, REVENUE, files).plans["revenue"].intake
        assert (found.rows_in, found.known, found.pending) == (known, known, 0)
    assert amounts(account) == [1, 2, 2, 3]
