"""What a person decided about revenue that may be there twice stays decided, whatever happens to its send."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.run_records.summary import latest_runs
from pipelines.sandbox import Account, Fault, Server
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]
Have = Callable[[Settings], None]

SALE = {"revenue": 5, "timestamp": "2024-06-01T00:00:00Z"}
OTHER_TIME = {"timestamp": "2024-06-02T00:00:00Z"}
BOTH, REVENUE = ("sends", "revenue"), ("revenue",)


def digests(settings: Settings) -> list[tuple[Any, ...]]:
    """What the ledger has of each row of revenue that was sent, by which rows like it are noticed."""
    with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger:
        return ledger.execute(
            "SELECT identity, content, likeness, contact FROM push_rows WHERE dataset = 'revenue' ORDER BY 1"
        ).fetchall()


def test_a_decision_outlives_changes_of_its_send_its_file_and_the_ledger(
    account: Account, settings: Settings, write: Write, have_sends: Have, some_sends: Some, offer: str
) -> None:
    """Rows that are one sale stay duplicates; those that are sales of their own are sent once their send is clear.

    So do those that another file has as a sent sale was corrected, in its amount or in its message, when that leaves.
    """
    have_sends(settings)
    sends = some_sends(10)

    def sale(number: str, message: int, revenue: float = 5, **other: Any) -> Row:
        return {
            **SALE,
            "record_id": number,
            "message_id": sends[message]["id"],
            "offer_id": offer,
            "revenue": revenue,
            **other,
        }

    def planned() -> tuple[int, int, int]:
        plan = plan_push(settings, BOTH).plans["revenue"].intake
        return plan.duplicate, plan.parked, plan.pending

    def stored() -> list[tuple[str, float]]:
        return sorted((row["message_id"][-1:], row["revenue"]) for row in account.revenue)

    write("revenue-a.ndjson", [sale("a1", 0), sale("a2", 1), sale("a3", 2)])
    corrected = write("revenue-e.ndjson", [sale("e1", 3), sale("e2", 4, 6)])
    push(settings, REVENUE)
    write("revenue-b.ndjson", [sale("b1", 0, **OTHER_TIME)])
    copy = write("revenue-b2.ndjson", [sale("b2", 1, **OTHER_TIME)])
    write("revenue-e.ndjson", [sale("e1", 5, 8), sale("e2", 4, 9)])
    as_corrected = write("revenue-f.ndjson", [sale("f1", 5, 8, **OTHER_TIME), sale("f2", 4, 9, **OTHER_TIME)])
    once = push(settings, REVENUE, decision=Decision(Choice.ONCE, "overlap")).outcomes["revenue"]
    assert (once.duplicate, once.rows_in) == (4, 9)

    write("sends.ndjson", [{**row, **OTHER_TIME} for row in sends[:3]] + sends[3:])
    write("revenue-d.ndjson", [sale("d3", 2, **OTHER_TIME)])
    corrected.unlink()
    count = push(settings, BOTH, decision=Decision(Choice.COUNT, "two orders")).outcomes["revenue"]
    assert (count.duplicate, count.rows_in) == (4, 8)
    sent = [("0", 5), ("1", 5), ("2", 5), ("3", 5), ("4", 6)]
    assert stored() == sent
    copy.rename(copy.with_name("revenue-c.ndjson"))
    assert planned() == (4, 1, 0), "their sends differ: four are decided, and the other waits for its send"
    as_corrected.unlink()
    write("sends.ndjson", sends)
    write("revenue-b.ndjson", [sale("b1", 0, 6, **OTHER_TIME)])
    assert planned() == (2, 1, 0), "the values of one differ, and the other waits for a decision"

    write("revenue-b.ndjson", [sale("b1", 0, **OTHER_TIME)])
    before = digests(settings)
    for file in settings.data_dir.glob("ledger.db*"):
        file.unlink()
    adopt(settings)
    assert digests(settings) == before
    assert planned() == (0, 3, 0), "the decision is lost with the ledger"
    push(settings, BOTH, decision=Decision(Choice.COUNT, "two orders"))
    assert stored() == sorted([*sent, ("0", 5), ("1", 5), ("2", 5)])


def test_a_corrected_sale_is_not_sent_again_with_the_values_of_its_lost_call(
    account: Account, server: Server, settings: Settings, write: Write, have_sends: Have, offer: str
) -> None:
    """The call of the first values was not carried out, so that they wait; put back, they are held.

    One that was carried out, under a record_id, differs from its file in the record of the push that finds it there.
    """
    have_sends(settings)
    soon = settings.model_copy(update={"settle_seconds": 0.1})

    def files(numbered: float, plain: float | None) -> None:
        sale = {**SALE, "offer_id": offer}
        rows = [{**sale, "message_id": "m000001", "revenue": numbered, "record_id": "r"}]
        if plain:
            rows.append({**sale, "message_id": "m000000", "revenue": plain})
        write("revenue.ndjson", rows)

    files(7, None)
    server.faults.active.append(Fault("reset-after", path="history/revenue", method="POST", times=1))
    push(soon, REVENUE, wait=False)
    files(8, 5)
    server.faults.active.append(Fault("gateway", path="history/revenue", method="POST", times=1))
    report = push(soon, REVENUE, wait=False)
    (run, *_), _ = latest_runs(settings.data_dir, 1)
    assert [row["revenue"] for row in account.revenue] == [7]
    assert report.outcomes["revenue"] == Outcomes(2, accepted=1, in_doubt=1)
    assert (report.differing, run.differing) == ({"revenue": 1}, 1)
    for plain in (6, 6, 5):
        files(8, plain)
        done = push(soon, REVENUE).outcomes["revenue"]
    assert done == Outcomes(2, accepted=1, parked=1)
    assert [row["revenue"] for row in account.revenue] == [7, 6]
