"""Rows that are in the account and say something else in the files by now: counted, listed, acknowledged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from histories import sends_to, write_rows
from oracle import query

from pipelines.alerts.after_run import conditions
from pipelines.errors import UsageError
from pipelines.push.audit.alerts import push_conditions
from pipelines.push.ledger.status import differing, outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.resolve import acknowledge_differing, differing_rows
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.run_records.summary import latest_runs
from pipelines.sandbox import Account
from pipelines.settings import Settings

BOTH = ["sends", "revenue"]
Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]
Have = Callable[[Settings], None]


@pytest.fixture
def sale(offer: str) -> Row:
    """A sale of the second send."""
    return {
        "message_id": "m000001",
        "offer_id": offer,
        "timestamp": "2024-06-01T00:00:00Z",
        "record_id": "r",
        "revenue": 5,
    }


def groups(settings: Settings) -> list[tuple[str, int]]:
    """What the plan lists of the file of sends."""
    plan = plan_push(settings, ["sends"]).plans["sends"]
    return [(group.outcome, group.rows) for group in plan.files[0].groups]


# SQLite does the same in the test below
@pytest.mark.parametrize("either", ["postgresql"], indirect=True)
def test_what_changed_since_it_was_sent_is_reported(account: Account, either: Settings, sale: Row) -> None:
    """Rows in the account whose content is another by now are counted and listed, whichever call they were in."""
    rows = sends_to(account.contacts(), 1_020)
    sends, revenue = (either.history / f"{name}.ndjson" for name in BOTH)
    write_rows(sends, rows)
    write_rows(revenue, [sale])
    first = push(either, BOTH)
    assert first.differing == {"sends": 0, "revenue": 0}
    write_rows(sends, [{**rows[0], "message": "other"}, *rows[1:-1], {**rows[-1], "delivered": True}])
    write_rows(revenue, [{**sale, "payout": 1}])
    posts = len([request for request in account.log if request.method == "POST"])
    second = push(either, BOTH)
    assert second.outcomes == first.outcomes
    assert second.differing == {"sends": 2, "revenue": 1}
    assert len([request for request in account.log if request.method == "POST"]) == posts
    found = query(either.warehouse, "SELECT dataset, row FROM imports.records WHERE differs ORDER BY ALL")
    assert found == [("revenue", 1), ("sends", 1), ("sends", 1020)]
    write_rows(sends, rows)
    assert groups(either) == []


def test_what_differs_is_acknowledged_until_it_changes_again(
    account: Account, settings: Settings, write: Write, some_sends: Some, sale: Row, have_sends: Have
) -> None:
    """An acknowledged row counts as what it is; the plan still lists it, and another change is reported again."""
    have_sends(settings)
    rows = some_sends(3)

    write("revenue.ndjson", [sale])
    push(settings, ["revenue"])
    posts = len([request for request in account.log if request.method == "POST"])
    write("sends.ndjson", [{**rows[0], "message": "other"}, {**rows[1], "delivered": True}, rows[2]])
    write("revenue.ndjson", [{**sale, "revenue": 7}])
    assert push(settings, BOTH).differing == {"sends": 2, "revenue": 1}
    (run, *_), _ = latest_runs(settings.data_dir, 1)
    assert run.figures == "0 sent, 0 accepted, 3 differing from what was sent"
    told = {one.name: one.text for one in conditions(settings, outcomes, push_conditions) if one.firing}
    assert told == {
        "differs:sends": "2 rows of sends differ from what was sent",
        "differs:revenue": "1 row of revenue differs from what was sent",
    }
    assert len([request for request in account.log if request.method == "POST"]) == posts
    assert [(place.identity, place.line) for place in differing_rows(settings, ["sends"])] == [
        ("m000000", 1),
        ("m000001", 2),
    ]
    with pytest.raises(UsageError, match="reason"):
        acknowledge_differing(settings, ["sends"], " ")
    assert acknowledge_differing(settings, ["sends"], "corrected texts") == {"sends": 2}
    assert differing(settings) == {"sends": 0, "clicks": 0, "revenue": 1}
    firing = [one.name for one in conditions(settings, outcomes, push_conditions) if one.firing]
    assert firing == ["differs:revenue"]
    assert acknowledge_differing(settings, BOTH, "a price") == {"sends": 0, "revenue": 1}
    columns = "dataset, identity, outcome, differs_acknowledged"
    records = f"SELECT {columns} FROM imports.records WHERE differs ORDER BY ALL"
    expected = [
        ("revenue", "record:r", "accepted", True),
        ("sends", "m000000", "accepted", True),
        ("sends", "m000001", "accepted", True),
    ]
    assert query(settings.warehouse, records) == expected
    again = push(settings, BOTH)
    assert again.differing == {"sends": 0, "revenue": 0}
    assert (again.outcomes["sends"].accepted, again.outcomes["revenue"].accepted) == (3, 1)
    assert query(settings.warehouse, records) == expected
    given = "SELECT revenue FROM imports.records WHERE dataset = 'revenue'"
    assert query(settings.warehouse, given) == [(5,)]
    assert groups(settings) == [("differs, acknowledged", 2)]
    kept = query(
        settings.warehouse,
        "SELECT dataset, identity, outcome, reason, resolved_by IS NOT NULL FROM imports.resolutions ORDER BY ALL",
    )
    assert kept == [
        ("revenue", "record:r", "differs", "a price", True),
        ("sends", "m000000", "differs", "corrected texts", True),
        ("sends", "m000001", "differs", "corrected texts", True),
    ]
    write("sends.ndjson", [{**rows[0], "message": "third"}, {**rows[1], "delivered": True}, rows[2]])
    assert groups(settings) == [("differs", 1), ("differs, acknowledged", 1)]
    assert push(settings, ["sends"]).differing["sends"] == 1
    assert acknowledge_differing(settings, ["sends"], "again") == {"sends": 1}
    assert differing(settings)["sends"] == 0
    assert "message" not in account.sends["m000000"]
    assert [row["revenue"] for row in account.revenue if row.get("message_id") == "m000001"] == [5]


def test_rows_that_were_rejected_may_be_corrected_also_with_hashed_phones(
    account: Account, settings: Settings, write: Write, some_sends: Some
) -> None:
    """They stay rejected until they are asked for; then the account holds the file's row, which does not differ.

    With hashed numbers a change of a number is seen, and another secret compares nothing with anything.
    """
    account.refuse = lambda _, record: ("list_not_found", "No") if record["id"] == "m000001" else None
    rows = some_sends(3)
    write("sends.ndjson", rows)
    secret = settings.model_copy(update={"hash_phones": type(settings.api_key)("s" * 40)})
    other = settings.model_copy(update={"hash_phones": type(settings.api_key)("t" * 40)})
    push(secret, ["sends"])
    account.refuse = None
    write(
        "sends.ndjson",
        [{**rows[0], "to_number": "+15559998888"}, {**rows[1], "message": "right"}, rows[2]],
    )
    again = push(secret, ["sends"])
    assert (again.outcomes["sends"], again.differing["sends"]) == (Outcomes(3, accepted=2, rejected=1), 1)
    assert ("differs", 1) not in groups(other)
    assert acknowledge_differing(secret, ["sends"], "a new number") == {"sends": 1}
    report = push(secret, ["sends"], retry_rejected=True)
    assert (report.outcomes["sends"], report.differing["sends"]) == (Outcomes(3, accepted=3), 0)
    assert len(account.sends) == 3
    assert account.sends["m000001"]["message"] == "right"
