"""What holds a push back: the canary, revenue that a network syncs by itself, and the plan that tells beforehand."""

import datetime as dt
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines.errors import DataError
from pipelines.pull.run import pull
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]


def test_a_push_that_is_wrong_as_a_whole_stops_at_the_canary(
    account: Account, settings: Settings, write: Write, some_sends: Some
) -> None:
    """Where nearly all of the first small call is refused, nothing else leaves, and the reasons are shown."""
    write("sends.ndjson", some_sends(1_100))
    account.refuse = lambda _, __: ("list_not_found", "No such list")
    with pytest.raises(
        DataError, match=r"of the first 50 rows.*its list is not in the account \(list_not_found\) \(50\)"
    ):
        push(settings, ["sends"])
    assert outcomes(settings)["sends"] == Outcomes(1_100, rejected=50, pending=1_050)
    account.refuse = None
    report = push(settings, ["sends"], retry_rejected=True)
    assert report.outcomes["sends"] == Outcomes(1_100, accepted=1_100)
    assert len(account.sends) == 1_100


def test_the_canary_is_taken_from_all_over_the_input_and_the_plan_shows_how_long_a_push_will_take(
    account: Account, settings: Settings, write: Write, some_sends: Some
) -> None:
    """A bad stretch at the beginning does not stop a push that is good as a whole.

    Before the first call the time is a guess, then what earlier calls took.
    """
    write("sends.ndjson", some_sends(1_500))
    plan = plan_push(settings, ["sends"]).plans["sends"]
    assert (plan.chunks, plan.seconds, plan.measured) == (2, 1.0, False)
    account.refuse = lambda _, row: ("invalid_phone", "Invalid") if row["id"] < "m000500" else None
    assert push(settings, ["sends"]).outcomes["sends"] == Outcomes(1_500, accepted=1_000, rejected=500)
    first = next(request for request in account.log if request.method == "POST")
    assert first.records == 50
    write("sends.ndjson", some_sends(3_500))
    plan = plan_push(settings, ["sends"]).plans["sends"]
    assert plan.measured
    assert plan.seconds == pytest.approx(plan.call_seconds)  # two calls, both at once
    assert 0 < plan.call_seconds < 60


def _ago(days: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).isoformat()


def test_revenue_that_tune_syncs_is_held_back_for_good(
    account: Account, settings: Settings, write: Write, some_sends: Some, caplog: pytest.LogCaptureFixture
) -> None:
    """The days that the hourly sync looks back on are not sent, neither now nor when they have become old."""
    account.revenue.clear()
    for offer in account.offers[:2]:
        offer["status"] = "active"
    tune, other = account.offers[:2]
    tune["external_platform"], other["external_platform"] = "tune", "everflow"
    pull(settings, ["offers"], "first")
    write("sends.ndjson", rows := some_sends(4))
    given = [(tune, _ago(6)), (tune, _ago(8)), (other, _ago(6)), (tune, None)]
    write(
        "revenue.ndjson",
        [
            {
                "message_id": row["id"],
                "offer_id": offer["id"],
                "revenue": 1,
                **({"timestamp": at} if at else {}),
            }
            for row, (offer, at) in zip(rows, given, strict=True)
        ],
    )
    with caplog.at_level(logging.WARNING, "pipelines"):
        report = push(settings, ["sends", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(4, accepted=2, parked=2)
    assert any("2 rows are held back" in record.message for record in caplog.records)
    ((reason, rows_held),) = report.reasons["revenue"].items()
    assert "TRACKLY_PUSH_SYNCED_REVENUE" in reason
    assert rows_held == 2, "one without a time may be of these days"
    plan = plan_push(settings, ["sends", "revenue"]).plans["revenue"]
    assert plan.intake.parked == 2
    # eight days on, the same row is older than a week, and the sync has counted it long since
    engine = sa.create_engine(settings.ledger)
    with engine.begin() as ledger:
        ledger.execute(sa.text("UPDATE push_intakes SET first_taken_in_at = :at"), {"at": _ago(8)})
    engine.dispose()
    assert push(settings, ["revenue"]).outcomes["revenue"].parked == 2
    shown = settings.model_copy(update={"push_synced_revenue": True})
    asked = [tune["id"].upper(), "f" * 24, tune["id"]]
    write(
        "clicks.ndjson",
        [
            {
                "message_id": row["id"],
                "offer_id": offer,
                "phone_number": row["to_number"],
                "timestamp": _ago(9),
            }
            for row, offer in zip(rows, asked, strict=False)
        ],
    )
    report = push(shown, ["clicks", "revenue"])
    assert report.outcomes["revenue"] == Outcomes(4, accepted=4)
    assert len(account.revenue) == 4
    assert report.outcomes["clicks"] == Outcomes(3, accepted=1, quarantined=2)
    texts = " ".join(report.reasons["clicks"])
    assert "the account has this offer with other upper and lower case" in texts
    assert "no such offer" in texts
    assert set(report.reasons["clicks"].values()) == {1}
