"""Revenue that a ledger has taken over from an account: what may be the correction of it waits as well."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]


def test_what_a_ledger_has_taken_over_waits_for_a_decision_too(
    account: Account, settings: Settings, write: Write, have_sends: Callable[[Settings], None], offer: str
) -> None:
    """It knows no digests, files and contacts of such rows, and perhaps no amounts; what is new is sent.

    Of two files one stays where it is and the other has gone; those of the next month have them renumbered, or with
    another amount and time, or say nothing of them.
    """
    have_sends(settings)
    sale = {"offer_id": offer, "revenue": 5}
    old = [{**sale, "message_id": f"m{n:06}", "timestamp": f"2024-06-{n + 1:02}T08:00:00Z"} for n in range(6)]
    numbered = [{**row, "record_id": f"r{row['message_id']}"} for row in old]
    dearer = [{**row, "revenue": 9.5, "timestamp": "2024-06-20T08:00:00Z"} for row in old]
    other = [
        {**row, "message_id": f"m{n + 12:06}", "timestamp": "2024-07-01T08:00:00Z"}
        for n, row in enumerate(old)
    ]
    write("revenue-06-stays.ndjson", old[:3])
    gone = write("revenue-06-gone.ndjson", old[3:])
    push(settings, ["revenue"])
    for path in settings.data_dir.glob("ledger.db*"):
        path.unlink()
    adopt(settings)
    push(settings, ["sends"])
    gone.unlink()
    write("revenue-07-stays.ndjson", numbered[:3] + other[:3])
    write("revenue-07-gone.ndjson", numbered[3:])
    write("revenue-07-other.ndjson", other[3:])
    plan = plan_push(settings, ["revenue"]).plans["revenue"]
    parked = {file.path.stem: sum(group.rows for group in file.groups) for file in plan.files if file.groups}
    assert parked == {"revenue-07-stays": 3, "revenue-07-gone": 3}
    assert (plan.intake.known, plan.intake.pending, plan.intake.duplicate) == (3, 6, 0)

    for path in settings.history.glob("revenue-0*"):
        path.unlink()
    write("revenue-07.ndjson", dearer)
    intake = plan_push(settings, ["revenue"]).plans["revenue"].intake
    assert (intake.known, intake.pending, intake.duplicate, intake.parked) == (0, 0, 0, 6)
    with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE push_rows SET amount = NULL WHERE dataset = 'revenue'")
    write("revenue-07.ndjson", numbered + other)
    report = push(settings, ["revenue"])
    assert report.outcomes["revenue"] == Outcomes(12, accepted=6, parked=6), (
        "an amount that is not known may be any"
    )
    assert [row["revenue"] for row in account.revenue] == [5] * 12
