"""A push of a month sends rows of that month alone, whatever pushes of others have left; so does its plan."""

import inspect
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.commands.push import push as push_command
from pipelines.errors import AccessError
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import push
from pipelines.run_records.summary import latest_runs
from pipelines.sandbox import API_KEY, Account, Fault, Server, seed_account
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]
MAY = (datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC))
JUNE = (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))
BOTH = ("sends", "revenue")


@pytest.fixture
def account() -> Account:
    """A small account without revenue, whose offers no network brings revenue of."""
    account = seed_account(contacts=60)
    account.revenue.clear()
    for offer in account.offers:
        offer["external_platform"] = None
    return account


@pytest.fixture
def two_months(write: Write, some_sends: Some, offer: str) -> list[Row]:
    """Four sends in May and two in June, each with a sale of its day; the sends."""
    sends = some_sends(6)
    for number, row in enumerate(sends):
        row["timestamp"] = f"2024-0{5 if number < 4 else 6}-10T10:00:00Z"
    write("sends.ndjson", sends)
    sales = [
        {"record_id": f"r{n}", "message_id": row["id"], "offer_id": offer, "revenue": n + 1}
        for n, row in enumerate(sends)
    ]
    write("revenue.ndjson", [{**one, "timestamp": sends[n]["timestamp"]} for n, one in enumerate(sales)])
    return sends


def sold(account: Account) -> list[float]:
    return sorted(row["revenue"] for row in account.revenue)


@pytest.mark.usefixtures("two_months")
def test_what_another_month_left_is_not_sent(
    account: Account, server: Server, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Sends and revenue without an answer, and rows that were rejected, wait for a push of their own month.

    Revenue that a reading finds absent meanwhile is pending, not sent; the log and the record of the run say so.
    """

    def sent_by_last() -> tuple[str, int, int]:
        run = latest_runs(settings.data_dir, 1)[0][0]
        return run.what, run.sent, run.pending

    account.refuse = lambda _, row: ("list_not_found", "No such list") if row.get("id") == "m000003" else None

    def suspend(_: int, account: Account) -> None:
        account.suspended = any(one.path == "/history/revenue" for one in account.log)

    account.before_request = suspend  # no reading follows
    server.faults.active.append(Fault("reset-before", method="POST", path="revenue", times=1))
    with pytest.raises(AccessError):
        push(settings, BOTH, between=MAY)
    account.refuse, account.before_request, account.suspended = None, None, False
    assert outcomes(settings)["sends"] == Outcomes(6, accepted=3, rejected=1, pending=2)
    assert (outcomes(settings)["revenue"].in_doubt, sold(account)) == (2, [])

    with caplog.at_level(logging.WARNING):
        push(settings, BOTH, between=JUNE, retry_rejected=True)
    assert outcomes(settings)["sends"] == Outcomes(6, accepted=5, rejected=1), "the rejected one is of May"
    assert sold(account) == [5.0, 6.0]
    assert "revenue: 2 rows of other months were sent without success, and stay pending" in caplog.text
    assert sent_by_last() == ("push sends revenue of 2024-06", 4, 0)
    assert outcomes(settings)["revenue"] == Outcomes(6, accepted=2, parked=1, pending=3)

    push(settings, BOTH, between=MAY, retry_rejected=True)
    assert sold(account) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert outcomes(settings)["revenue"] == Outcomes(6, accepted=6)
    assert sent_by_last() == ("push sends revenue of 2024-05", 5, 0)


def test_a_month_is_planned_as_it_is_pushed(
    account: Account, settings: Settings, two_months: list[Row], write: Write,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The plan of a month has its rows alone, by outcome, and the exit code that the push of the month ends with.

    Sales of June whose sends are of May are parked in both, for the same reason.
    """
    for name, value in (
        ("API_KEY", API_KEY),
        ("BASE_URL", settings.base_url),
        ("DATA_DIR", settings.data_dir),
    ):
        monkeypatch.setenv(f"TRACKLY_{name}", str(value))
    rows = [json.loads(line) for line in (settings.history / "revenue.ndjson").read_text().splitlines()]
    write("revenue.ndjson", [{**row, "timestamp": "2024-06-11T00:00:00Z"} for row in rows])
    write("sends.ndjson", [*two_months, {**two_months[5], "id": "bad", "to_number": "1"}])

    def planned(**options: Any) -> str:
        assert (
            inspect.unwrap(push_command)(["sends", "revenue"], dry_run=True, month="2024-06", **options) == 0
        )
        return capsys.readouterr().out

    found = json.loads(planned(as_json=True))
    counts = {
        name: (one["rows_in"], one["pending"], one["parked"], one["quarantined"])
        for name, one in found.items()
    }
    assert counts == {"sends": (3, 2, 0, 1), "revenue": (6, 2, 4, 0)}
    assert {(one["month"], one["exit_code"], one["requests"]) for one in found.values()} == {
        ("2024-06", 3, 1)
    }
    assert [file["rows"] for one in found.values() for file in one["files"]] == [3, 6]
    text = planned()
    assert "sends of 2024-06: 3 rows in 1 file" in text
    assert "To send it: trackly-sync push --month 2024-06" in text
    assert (account.sends, outcomes(settings)["sends"].rows_in) == ({}, 0), "a plan leaves nothing behind"

    done = push(settings, BOTH, between=JUNE)
    assert (len(account.sends), sold(account)) == (2, [5.0, 6.0])
    (parked,) = found["revenue"]["reasons"]
    assert done.reasons["revenue"][parked] == found["revenue"]["reasons"][parked] == 4
