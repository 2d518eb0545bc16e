"""History by month: only that month goes, nothing goes twice, and the push has the rest."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from oracle import query

from assets.definitions import build_defs
from assets.graph import months
from assets.inspection.metadata import of_month
from assets.resources import GivenTrackly
from assets.runs.in_process import QUIET
from pipelines.pull.run import pull
from pipelines.push.ledger.status import outcomes
from pipelines.push.run import push
from pipelines.sandbox import Account, write_history
from pipelines.settings import Settings
from schemas.registry import PUSHED

Month = Callable[[str], dict[str, Any]]
REFERRED_TO = ["contacts", "lists", "offers"]


@pytest.fixture
def month(settings: Settings) -> Month:
    """Imports one month with Dagster; the figures of its materialization."""
    job = build_defs(resource_overrides={"trackly": GivenTrackly(settings)}).resolve_job_def("backfill")

    def run(key: str) -> dict[str, Any]:
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                run_config=QUIET, instance=instance, partition_key=key, raise_on_error=False
            )
            assert result.success
            (made,) = result.asset_materializations_for_node("imported_months")
            assert made.partition == key
            return {name: value.value for name, value in made.metadata.items()}

    return run


def write_rows(folder: Path, account: Account) -> dict[str, list[dict[str, Any]]]:
    """Sends of three months, clicks of a month later, revenue of which some has no time."""
    contacts = [row for row in account.contacts() if row["active"]][:90]
    offer = next(
        row["id"]
        for row in account.offers
        if row["status"] == "active" and row["external_platform"] != "tune"
    )
    sends = [
        {
            "id": f"old-{number}",
            "to_number": contact["phone_number"],
            "list_id": contact["list_id"],
            "timestamp": f"2023-{1 + number % 3:02}-{1 + number % 28:02}T23:59:59Z",
        }
        for number, contact in enumerate(contacts)
    ]
    clicks = [
        {
            "message_id": send["id"],
            "offer_id": offer,
            "phone_number": send["to_number"],
            "timestamp": f"2023-{2 + number % 3:02}-01T00:00:00Z",
        }
        for number, send in enumerate(sends)
        if number % 2
    ]
    revenue = [
        {
            "message_id": send["id"],
            "offer_id": offer,
            "revenue": 1 + number / 10,
            **({"timestamp": send["timestamp"]} if number % 5 else {}),
        }
        for number, send in enumerate(sends)
    ]
    found = {"sends": sends, "clicks": clicks, "revenue": revenue}
    folder.mkdir(parents=True)
    for name, rows in found.items():
        (folder / f"{name}.ndjson").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return found


def imported(account: Account) -> list[dict[str, Any]]:
    return [row for row in account.revenue if str(row["message_id"]).startswith("old-")]


def test_a_month_sends_its_rows_and_no_others(account: Account, settings: Settings, month: Month) -> None:
    """By the row's own time in UTC, sends first; run again it sends nothing; the push sends all that is left."""
    for offer in account.offers:  # a row without a time would wait where TUNE brings the revenue
        offer["external_platform"] = None
    pull(settings, REFERRED_TO, "r1")
    rows = write_rows(settings.history, account)
    by_month = {name: Counter(str(row.get("timestamp"))[:7] for row in found) for name, found in rows.items()}

    first = month("2023-03")
    assert {send["timestamp"][:7] for send in account.sends.values() if send["id"].startswith("old-")} == {
        "2023-03"
    }
    assert len(imported(account)) == by_month["revenue"]["2023-03"]
    assert first["accepted"] == by_month["sends"]["2023-03"] + by_month["revenue"]["2023-03"]
    assert first["sent"] == first["accepted"]
    assert first["month_parked"] == by_month["clicks"]["2023-03"], "their sends are of February"
    assert not account.clicks

    posts = sum(item.method == "POST" for item in account.log)
    reads = len(account.log)
    again = month("2023-03")
    assert again["month_accepted"] == first["accepted"]
    assert (again["sent"], again["accepted"], again["pending"]) == (0, 0, 0)
    assert sum(item.method == "POST" for item in account.log) == posts, "a month that is in sends nothing"
    assert len(account.log) == reads, "and asks nothing"

    late = {**rows["sends"][2], "id": "old-late", "timestamp": "2023-04-05T00:00:00Z"}
    with (settings.history / "sends.ndjson").open("a") as file:
        file.write(f"{json.dumps(late)}\n")
    rows["sends"].append(late)
    month("2023-04")
    assert "old-late" in account.sends, "files that have changed are taken in again"
    assert {click["timestamp"][:7] for click in account.clicks.values()} == {"2023-04"}
    assert len(account.clicks) == by_month["clicks"]["2023-04"]

    counts = outcomes(settings)
    for name, found in rows.items():
        assert counts[name].rows_in == len(found)
    report = push(settings, list(PUSHED))
    for name, found in rows.items():
        assert report.outcomes[name].accepted == len(found) == report.outcomes[name].rows_in
    assert len(imported(account)) == len(rows["revenue"]), "revenue once, that without a time too"
    assert len(account.clicks) == len(rows["clicks"])


def test_a_month_and_a_push_keep_the_same_books(account: Account, settings: Settings, month: Month) -> None:
    """An export with bad and repeated rows: after its month and the push each row has the outcome that is its own."""
    pull(settings, REFERRED_TO, "r1")
    export = write_history(account, settings.history, sends=100)
    figures = month("2025-01")
    assert figures["accepted"] >= 100
    told = figures["rejects"].partition("```sql")[2].partition("```")[0]
    left_out = query(settings.warehouse, told)
    assert len(left_out) == figures["left_out"] > 0
    assert (
        figures["left_out"] == figures["dagster/row_count"] - figures["accepted"] - figures["month_duplicate"]
    )
    push(settings, list(PUSHED))
    assert len(account.sends) == 100
    for name, counts in outcomes(settings).items():
        good = export.rows[name] - export.bad[name] - export.repeated[name]
        assert (counts.rows_in, counts.accepted) == (export.rows[name], good)
        assert counts.duplicate == export.repeated[name]
        assert counts.quarantined + counts.parked == export.bad[name]
    earned = [row for row in account.revenue if row["message_id"] in account.sends]
    assert sum(round(row["revenue"] * 10_000) for row in earned) == export.revenue


def test_a_month_shows_its_rows_where_there_are_any() -> None:
    """An empty month shows zeros and nowhere to look; lines of SQL are short, since the page cuts long ones off."""
    between = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC))
    empty = of_month({name: {} for name in PUSHED}, between, [], 1.0)
    assert [tuple(row.data.values()) for row in empty["outcomes"].records] == [(name, "0") for name in PUSHED]
    assert "rejects" not in empty
    full = of_month({"sends": {"accepted": 7, "rejected": 2}}, between, [], 1.0)
    assert [tuple(row.data.values()) for row in full["outcomes"].records] == [("sends", "9", "7", "2")]
    assert max(len(line) for line in full["rejects"].value.splitlines()) <= 45


def test_every_month_since_the_start_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """From TRACKLY_HISTORY_START up to the current month."""
    monkeypatch.setenv("TRACKLY_HISTORY_START", "2024-11-20")
    months = build_defs().resolve_job_def("backfill").partitions_def
    assert isinstance(months, dg.MonthlyPartitionsDefinition)
    keys = months.get_partition_keys()
    assert keys[:2] == ["2024-11", "2024-12"]
    assert len(set(keys)) == len(keys) >= 20


def test_unread_files_stop_a_month_until_it_is_told_to_go_on(settings: Settings) -> None:
    settings.history.mkdir(parents=True, exist_ok=True)
    settings.history.joinpath("sends.csv").write_text(
        "id,to_number,timestamp\nx,+12000000000,2023-02-02T10:00:00Z\n"
    )
    settings.history.joinpath("sends-2022.xlsx").write_bytes(b"PK")
    job = build_defs(resource_overrides={"trackly": GivenTrackly(settings)}).resolve_job_def("backfill")

    def run(config: dict[str, Any]) -> dg.ExecuteInProcessResult:
        ops = {"ops": {"imported_months": {"config": config}}}
        with dg.DagsterInstance.ephemeral() as instance:
            return job.execute_in_process(
                run_config=ops, instance=instance, partition_key="2023-01", raise_on_error=False
            )

    stopped = run({})
    (failure,) = [event for event in stopped.all_events if event.is_step_failure]
    assert "sends-2022.xlsx is a spreadsheet" in str(failure.event_specific_data)
    assert "ignore_unread" in str(failure.event_specific_data)
    assert run({"ignore_unread": True}).success


def test_an_open_month_is_not_hidden_by_the_next_one(settings: Settings) -> None:
    """Checks have one result for all months: each names every month that is not as it should be."""
    begun = {
        "2025-01": months.Month({"clicks": {"accepted": 3, "parked": 2}}),
        "2025-02": months.Month({"sends": {"accepted": 5}}),
        "2025-03": months.Month({"sends": {"accepted": 5, "quarantined": 4}, "revenue": {"pending": 1}}, 2),
    }
    complete, left_out = months.month_checks(begun, settings)
    assert (complete.passed, left_out.passed) == (False, False)
    assert complete.description == "2025-01: parked (2); 2025-03: pending (1)"
    assert (
        left_out.description
        == "2025-01: parked (2); 2025-03: quarantined (4), differs from what was sent (2)"
    )
    complete, left_out = months.month_checks({"2025-02": begun["2025-02"]}, settings)
    assert complete.passed
    assert left_out.passed
