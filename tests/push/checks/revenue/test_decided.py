"""What a person decided about revenue that may be there twice stays decided, whatever happens to its send."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.checks.revenue.same_rows import Choice, Decision
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.run_records.summary import latest_runs
from pipelines.sandbox import Account, Fault, Server
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]

SALE = {"revenue": 5, "timestamp": "2024-06-01T00:00:00Z"}
BOTH = ("sends", "revenue")


def digests(settings: Settings) -> list[tuple[Any, ...]]:
    """What the ledger has of each row of revenue that was sent, by which rows like it are noticed."""
    with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger:
        return ledger.execute(
            "SELECT identity, content, likeness, contact FROM push_rows WHERE dataset = 'revenue' ORDER BY 1"
        ).fetchall()


def test_a_decision_outlives_changes_of_its_send_its_file_and_the_ledger(
    account: Account, settings: Settings, write: Write, some_sends: Callable[[int], list[Row]], offer: str
) -> None:
    """Rows that are one sale stay duplicates; those that are sales of their own are sent once their send is clear."""
    account.revenue.clear()
    sends = some_sends(3)
    other_time = {"timestamp": "2024-06-02T00:00:00Z"}

    def sale(number: int, message: int, **other: Any) -> Row:
        return {
            **SALE,
            "record_id": f"r{number}",
            "message_id": sends[message]["id"],
            "offer_id": offer,
            **other,
        }

    def planned() -> tuple[int, int, int]:
        plan = plan_push(settings, BOTH).plans["revenue"].intake
        return plan.duplicate, plan.parked, plan.pending

    write("sends.ndjson", sends)
    write("revenue-a.ndjson", [sale(1, 0), sale(2, 1)])
    push(settings, BOTH)
    copy = write("revenue-b.ndjson", [sale(11, 0, **other_time)])
    push(settings, BOTH, decision=Decision(Choice.ONCE, "overlap"))
    write("sends.ndjson", [{**sends[0], **other_time}, {**sends[1], **other_time}, sends[2]])
    write("revenue-d.ndjson", [sale(12, 1, **other_time)])
    assert (
        push(settings, BOTH, decision=Decision(Choice.COUNT, "two orders")).outcomes["revenue"].duplicate == 1
    )
    assert planned() == (1, 1, 0), "their sends differ: one is decided, and the other waits for its send"
    copy.rename(copy.with_name("revenue-c.ndjson"))
    assert planned() == (1, 1, 0)
    write("sends.ndjson", sends)
    for values in ({"revenue": 6}, {"revenue": 5}):
        write("revenue-c.ndjson", [sale(11, 0, **other_time, **values)])
        assert planned() == (1, 1, 0), "its own values differ, and the other waits for a decision"

    before = digests(settings)
    for file in settings.data_dir.glob("ledger.db*"):
        file.unlink()
    adopt(settings)
    assert digests(settings) == before
    assert planned() == (0, 2, 0), "the decision is lost with the ledger"
    push(settings, BOTH, decision=Decision(Choice.COUNT, "two orders"))
    assert sorted(row["message_id"] for row in account.revenue) == [
        sends[message]["id"] for message in (0, 0, 1, 1)
    ]


def test_a_corrected_sale_is_not_sent_again_with_the_values_of_its_lost_call(
    account: Account,
    server: Server,
    settings: Settings,
    write: Write,
    some_sends: Callable[[int], list[Row]],
    offer: str,
) -> None:
    """The call of the first values was not carried out, so that they wait; put back, they are held.

    One that was carried out, under a record_id, differs from its file in the record of the push that finds it there.
    """
    account.revenue.clear()
    sends = some_sends(1)
    soon = settings.model_copy(update={"settle_seconds": 0.1})
    write("sends.ndjson", sends)
    push(settings, ["sends"])
    server.faults.active.append(Fault("gateway", path="history/revenue", method="POST", times=1))
    for revenue, wait in ((5, False), (6, True), (6, True), (5, True)):
        write(
            "revenue.ndjson", [{**SALE, "message_id": sends[0]["id"], "offer_id": offer, "revenue": revenue}]
        )
        done = push(soon, BOTH, wait=wait).outcomes["revenue"]
    assert (done.parked, done.pending) == (1, 0)
    assert [row["revenue"] for row in account.revenue] == [6]

    server.faults.active.append(Fault("reset-after", path="history/revenue", method="POST", times=1))
    for revenue, wait in ((7, False), (8, True)):
        row = {**SALE, "message_id": sends[0]["id"], "offer_id": offer, "revenue": revenue, "record_id": "r"}
        write("revenue.ndjson", [row])
        report = push(soon, ["revenue"], wait=wait)
    (run, *_), _ = latest_runs(settings.data_dir, 1)
    assert [row["revenue"] for row in account.revenue] == [6, 7]
    assert (report.outcomes["revenue"].accepted, report.differing, run.differing) == (1, {"revenue": 1}, 1)


def test_a_sale_that_was_decided_to_be_one_with_a_corrected_one_stays_so_when_that_leaves(
    account: Account, settings: Settings, write: Write, have_sends: Callable[[Settings], None], offer: str
) -> None:
    """Another file has it under another id as it was corrected: in its amount, or in its message too."""
    have_sends(settings)

    def sale(number: str, message: int, revenue: int, **other: Any) -> Row:
        values = {"record_id": number, "message_id": f"m{message:06}", "offer_id": offer, "revenue": revenue}
        return {**SALE, **values, **other}

    first = write("revenue-a.ndjson", [sale("a1", 0, 5), sale("a2", 1, 6)])
    push(settings, BOTH)
    write("revenue-a.ndjson", [sale("a1", 2, 8), sale("a2", 1, 9)])
    later = {"timestamp": "2024-06-02T00:00:00Z"}
    write("revenue-b.ndjson", [sale("b1", 2, 8, **later), sale("b2", 1, 9, **later)])
    push(settings, BOTH, decision=Decision(Choice.ONCE, "the correction"))
    first.unlink()
    left = push(settings, BOTH).outcomes["revenue"]
    assert (left.duplicate, left.rows_in) == (2, 2)
    assert [row["revenue"] for row in account.revenue] == [5, 6]
