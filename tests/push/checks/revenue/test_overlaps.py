"""Exports that overlap and are pushed one by one: equal revenue without a record_id is held."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account
from pipelines.settings import Settings

REVENUE = ["revenue"]
Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]


def test_exports_that_overlap_are_held_across_runs_and_a_file_that_changed_its_shape_is_not(
    account: Account, settings: Settings, write: Write, have_sends: Callable[[Settings], None], offer: str
) -> None:
    """The row of both months is parked until it is decided, the others are sent; the decision stays, in any order.

    A file that grew, was renamed, converted or cut is the same: all that was sent from it is in the input, so that
    nothing is held; a file at the same path is itself. Equal rows within one file are sales each; a further one in
    another file is held, however often it was sent.
    """
    have_sends(settings)

    def sales(first: int) -> list[Row]:
        """Of three sends, of 1, 2 and 3."""
        values = [(n, f"2024-05-0{n + 1}T00:00:00Z") for n in (1, 2, 3)]
        return [
            {"message_id": f"m0000{first + n:02}", "offer_id": offer, "revenue": n, "timestamp": at}
            for n, at in values
        ]

    def amounts(of: str) -> list[int]:
        return sorted(row["revenue"] for row in account.revenue if row["message_id"].startswith(of))

    months, grown = sales(0), sales(10)
    may, june = write("revenue-may.ndjson", months[:2]), write("revenue-june.ndjson", months[1:])
    first = write("revenue.ndjson", grown[:2])
    assert push(settings, REVENUE, [may, first]).outcomes["revenue"] == Outcomes(4, accepted=4)
    planned = plan_push(settings, REVENUE, [june]).plans["revenue"]
    assert (planned.intake.parked, planned.intake.pending) == (1, 1)
    ((group,),) = (file.groups for file in planned.files)
    assert (group.code, group.examples[0].places) == ("same_rows", "revenue-may.ndjson")
    write("revenue.ndjson", [*grown[:2], grown[1]])
    report = push(settings, REVENUE, [june, first])
    assert report.outcomes["revenue"] == Outcomes(5, accepted=4, parked=1)
    assert (amounts("m00000"), amounts("m00001")) == ([1, 2, 3], [1, 2, 2])

    renamed = write("revenue-0.ndjson", [*grown, grown[1]])
    once = push(settings, REVENUE, [june, renamed], decision=Decision(Choice.ONCE, "asked accounting"))
    assert once.outcomes["revenue"] == Outcomes(6, accepted=5, duplicate=1)
    assert (once.intakes["revenue"].decided, amounts("m00000"), amounts("m00001")) == (
        1,
        [1, 2, 3],
        [1, 2, 2, 3],
    )
    july = write("revenue-july.ndjson", [months[0], {**months[2], "message_id": "m000009", "revenue": 9}])
    count = push(settings, REVENUE, [july], decision=Decision(Choice.COUNT, "at once"))
    assert (count.intakes["revenue"].decided, amounts("m00000")) == (1, [1, 1, 2, 3, 9])

    cut = [write("revenue-1.ndjson", grown[:1]), write("revenue-2.ndjson", [*grown[1:], grown[1]])]
    write("revenue.ndjson", [grown[1]])
    other = write("revenue-b.ndjson", [grown[1], grown[1], months[0]])  # the last one was sent from two files
    more = Decision(Choice.COUNT, "all that is held")
    for files, rows in (([may, *cut], 6), ([july, june, may, first], 7)):
        again = plan_push(settings, REVENUE, files, decision=more).plans["revenue"].intake
        assert (again.rows_in, again.known) == (rows, 6)
        assert (again.quarantined, again.parked, again.pending, again.decided) == (0, 0, 0, 0)
    counted = push(settings, REVENUE, [other], decision=more)
    assert (counted.outcomes["revenue"], counted.intakes["revenue"].known) == (Outcomes(3, accepted=3), 0)
    assert (amounts("m00000"), amounts("m00001")) == ([1, 1, 1, 2, 3, 9], [1, 2, 2, 2, 2, 3])
