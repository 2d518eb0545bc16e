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


@pytest.mark.parametrize(
    "either", ["postgresql"], indirect=True
)  # SQLite below and in test_differing_sends.py
def test_what_changed_since_it_was_sent_is_reported_until_it_is_acknowledged(
    account: Account, either: Settings, sale: Row
) -> None:
    """Rows in the account whose content is another by now are counted and listed, whichever call they were in.

    An acknowledged row counts as what it is; the plan still lists it, and another change is reported again.
    """
    rows = sends_to(account.contacts(), 1_020)
    changed = [{**rows[0], "message": "other"}, *rows[1:-1], {**rows[-1], "delivered": True}]
    sends, revenue = (either.history / f"{name}.ndjson" for name in BOTH)
    write_rows(sends, rows)
    write_rows(revenue, [sale])
    first = push(either, BOTH)
    assert first.differing == {"sends": 0, "revenue": 0}
    posts = len([request for request in account.log if request.method == "POST"])
    write_rows(sends, changed)
    write_rows(revenue, [{**sale, "revenue": 7}])
    second = push(either, BOTH)
    assert second.outcomes == first.outcomes
    assert second.differing == {"sends": 2, "revenue": 1}
    (run, *_), _ = latest_runs(either.data_dir, 1)
    assert run.figures == "0 sent, 0 accepted, 3 differing from what was sent"
    told = {one.name: one.text for one in conditions(either, outcomes, push_conditions) if one.firing}
    assert told == {
        "differs:sends": "2 rows of sends differ from what was sent",
        "differs:revenue": "1 row of revenue differs from what was sent",
    }
    assert len([request for request in account.log if request.method == "POST"]) == posts
    found = query(either.warehouse, "SELECT dataset, row FROM imports.records WHERE differs ORDER BY ALL")
    assert found == [("revenue", 1), ("sends", 1), ("sends", 1020)]
    write_rows(sends, rows)
    assert groups(either) == []
    write_rows(sends, changed)
    assert [(place.identity, place.line) for place in differing_rows(either, ["sends"])] == [
        ("m000000", 1),
        ("m001019", 1020),
    ]
    with pytest.raises(UsageError, match="reason"):
        acknowledge_differing(either, ["sends"], " ")
    assert acknowledge_differing(either, ["sends"], "corrected texts") == {"sends": 2}
    assert differing(either) == {"sends": 0, "clicks": 0, "revenue": 1}
    firing = [one.name for one in conditions(either, outcomes, push_conditions) if one.firing]
    assert firing == ["differs:revenue"]
    assert acknowledge_differing(either, BOTH, "a price") == {"sends": 0, "revenue": 1}
    columns = "dataset, identity, outcome, differs_acknowledged"
    records = f"SELECT {columns} FROM imports.records WHERE differs ORDER BY ALL"
    expected = [
        ("revenue", "record:r", "accepted", True),
        ("sends", "m000000", "accepted", True),
        ("sends", "m001019", "accepted", True),
    ]
    assert query(either.warehouse, records) == expected
    again = push(either, BOTH)
    assert again.differing == {"sends": 0, "revenue": 0}
    (run, *_), _ = latest_runs(either.data_dir, 1)
    assert run.figures == "0 sent, 0 accepted"
    assert (again.outcomes["sends"].accepted, again.outcomes["revenue"].accepted) == (1_020, 1)
    assert query(either.warehouse, records) == expected
    given = "SELECT revenue FROM imports.records WHERE dataset = 'revenue'"
    assert query(either.warehouse, given) == [(5,)]
    assert groups(either) == [("differs, acknowledged", 2)]
    kept = query(
        either.warehouse,
        "SELECT dataset, identity, outcome, reason, resolved_by IS NOT NULL FROM imports.resolutions ORDER BY ALL",
    )
    assert kept == [
        ("revenue", "record:r", "differs", "a price", True),
        ("sends", "m000000", "differs", "corrected texts", True),
        ("sends", "m001019", "differs", "corrected texts", True),
    ]
    write_rows(sends, [{**rows[0], "message": "third"}, *changed[1:]])
    assert groups(either) == [("differs", 1), ("differs, acknowledged", 1)]
    assert push(either, ["sends"]).differing["sends"] == 1
    assert acknowledge_differing(either, ["sends"], "again") == {"sends": 1}
    assert differing(either)["sends"] == 0
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
