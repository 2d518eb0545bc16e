"""Schedules that would reach people who opted out: by events alone, without a pull in between."""

import datetime as dt
import json
import random
from pathlib import Path
from typing import Any

from campaigns.audience_oracle import NOW, meets, names_other_list, some_contact, some_filter
from campaigns.made_campaigns import TODAY, WEEKDAYS, warehouse_of
from oracle import mart
from receiving import arrive, opt_out, settings_of

from pipelines.settings import Settings
from pipelines.warehouse.webhook_events import publish_events

Row = dict[str, Any]
LISTS = [{"id": number, "phone_number": f"+1555999000{number}", "status": "active"} for number in (1, 2, 3)]


def found_of(settings: Settings) -> list[Row]:
    return [row for row in mart(settings, "compliance") if row["finding"] == "schedule_would_reach"]


def schedule(number: int, audiences: list[str], **more: Any) -> Row:
    return {
        "id": f"s{number}", "name": f"Schedule {number}", "status": "on", "audiences": audiences,
        "is_repeating": True, "start_date": TODAY, "days_of_week": dict.fromkeys(WEEKDAYS, True), **more,
    }  # fmt: skip


def test_schedules_that_would_reach_opted_out_people(tmp_path: Path) -> None:
    """Whose audience has that list's contact, active by the last pull; by lists where the filter is not known."""
    chance = random.Random(11)
    settings = settings_of(tmp_path)
    contacts = [some_contact(chance, number) | {"revenue_total": 0} for number in range(900)]
    audiences = [
        {"id": f"a{number}", "status": "active", "source_lists": chance.choice([[], [1], [2, 3]]),
         "filter": some_filter(chance)}
        for number in range(30)
    ]  # fmt: skip
    audiences[7]["filter"] = {
        "operator": "AND",
        "conditions": [{"condition_type": "on_dnc", "operator": "eq"}],
    }
    schedules = [
        schedule(number, [f"a{number}", f"a{(number + 7) % 33}"], source_lists=chance.choice([[], None, [1, 2]]),
                 status=chance.choice(["on", "on", "off"]))
        for number in range(30)
    ]  # fmt: skip
    warehouse_of(
        settings, {"lists": LISTS, "contacts": contacts, "audiences": audiences, "schedules": schedules}
    )
    stopped = chance.sample(contacts, 40)
    for row in stopped:
        at = (NOW + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        arrive(
            settings,
            opt_out(row["phone_number"], list_number=LISTS[row["list_id"] - 1]["phone_number"], timestamp=at),
        )
    publish_events(settings)
    by_id = {one["id"]: one for one in audiences}
    wanted = {}
    for one in schedules:
        for row in stopped:
            bases = [
                basis
                for name in one["audiences"]
                if name in by_id and (basis := basis_of(by_id[name], row)) and one["status"] == "on" and row["active"]
                and (not one["source_lists"] or row["list_id"] in one["source_lists"])
            ]  # fmt: skip
            if bases:
                wanted[one["id"], row["phone_number"], row["list_id"]] = (
                    min(bases) + "; opted out after the last pull"
                )
    rows = found_of(settings)
    assert {
        (row["schedule_id"], row["phone_number"], row["list_id"]): row["evidence"] for row in rows
    } == wanted
    assert len(rows) == len(wanted) > 50
    assert {evidence.partition(";")[0] for evidence in wanted.values()} == {
        "filter", "filter, read widely", "source lists",
    }  # fmt: skip


def basis_of(audience: Row, row: Row) -> str | None:
    if audience["source_lists"] and row["list_id"] not in audience["source_lists"]:
        return None
    if "on_dnc" in json.dumps(audience["filter"]) or names_other_list(
        audience["filter"], audience["source_lists"]
    ):
        return "source lists"
    if meets(audience["filter"], row, wide=False):
        return "filter"
    return "filter, read widely" if meets(audience["filter"], row, wide=True) else None


def test_who_is_inactive_or_has_come_back_is_not_reached(tmp_path: Path) -> None:
    """The next pull sees the opt-out: nothing is found; an opt-out without a known list is of every list."""
    settings = settings_of(tmp_path)
    anybody = {"condition_type": "count", "field": "send_count", "operator": "gte", "value": 0}
    everybody = {"operator": "OR", "conditions": [anybody]}
    person = some_contact(random.Random(1), 1) | {"active": True, "revenue_total": 0, "list_id": 1}
    account = {
        "lists": LISTS, "contacts": [person, {**person, "list_id": 2}],
        "audiences": [{"id": "a", "status": "active", "filter": everybody}], "schedules": [schedule(1, ["a"])],
    }  # fmt: skip
    arrive(
        settings,
        opt_out(person["phone_number"], list_number="+15550009999", timestamp="2026-11-20T10:00:00.000Z"),
    )
    warehouse_of(settings, account)
    publish_events(settings)
    (found,) = found_of(settings)
    assert (found["list_id"], found["evidence"]) == (None, "filter; active in a pull after the opt-out")
    warehouse_of(settings, {"contacts": [{**row, "active": False} for row in account["contacts"]]})
    assert found_of(settings) == []
