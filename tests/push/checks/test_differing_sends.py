"""Clicks and revenue of sends that differ from what was sent: their ids may mean other messages by now."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.push.outcomes import Outcomes
from pipelines.push.resolve import acknowledge_differing, differing_rows
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account
from pipelines.settings import Settings

ALL = ["sends", "clicks", "revenue"]
Row = dict[str, Any]


def test_an_export_that_numbers_from_1_again_credits_nobody_else(
    account: Account,
    settings: Settings,
    write: Callable[[str, list[Row]], Path],
    some_sends: Callable[[int], list[Row]],
    offer: str,
) -> None:
    """What refers to ids that were used before waits until somebody has looked; what was sent stays accepted."""
    rows = some_sends(7)
    january = [{**row, "id": str(n)} for n, row in enumerate(rows[:3], 1001)]
    february = [
        {**row, "id": str(n), "timestamp": "2024-07-01T10:00:00Z"} for n, row in enumerate(rows[3:6], 1001)
    ]

    def clicks(*ids: str) -> None:
        some = [{"message_id": n, "offer_id": offer, "phone_number": "+15551234567"} for n in ids]
        write("clicks.ndjson", [{**row, "timestamp": "2024-07-02T00:00:00Z"} for row in some])

    write("sends.ndjson", january)
    clicks("1001")
    push(settings, ALL[:2])
    write("sends.ndjson", [*february, {**rows[6], "id": "1004"}])
    clicks("1001", "1002", "1003", "1004")
    sale = {"offer_id": offer, "timestamp": "2024-07-03T00:00:00Z"}
    write(
        "revenue.ndjson",
        [{**sale, "message_id": n, "revenue": 5 + place} for place, n in enumerate(["1002", "1003", "1004"])],
    )
    planned = plan_push(settings, ALL).plans
    assert (planned["clicks"].intake.parked, planned["revenue"].intake.parked) == (2, 2)
    report = push(settings, ALL)
    assert report.differing["sends"] == 3
    changed = [set(place.fields) for place in differing_rows(settings, ["sends"])]
    assert [fields & {"to_number", "timestamp", "delivered"} for fields in changed] == [
        {"to_number", "timestamp"}
    ] * 3
    assert report.outcomes["clicks"] == Outcomes(4, accepted=2, parked=2)
    assert report.outcomes["revenue"] == Outcomes(3, accepted=1, parked=2)
    for name in ("clicks", "revenue"):
        (reason,) = report.reasons[name]
        assert "resolve --differs" in reason
    assert (set(account.clicks), [row["message_id"] for row in account.revenue]) == (
        {"1001", "1004"},
        ["1004"],
    )
    assert plan_push(settings, ["revenue"]).plans["revenue"].intake.parked == 2, "by the last intake of sends"
    acknowledge_differing(settings, ["sends"], "texts and times were corrected")
    done = push(settings, ["clicks", "revenue"])
    assert (done.outcomes["clicks"].accepted, done.outcomes["revenue"].accepted) == (4, 3)
