"""Whom audiences and schedules reach, what goes out when, and what it counts, by plain Python; how a mart is read."""

import datetime as dt
import json
from functools import partial
from typing import Any

import oracle
from campaigns.audience_oracle import meets, names_other_list
from campaigns.made_campaigns import TODAY, WEEKDAYS

from pipelines.settings import Settings

Row = dict[str, Any]
World = tuple[dict[str, list[Row]], Settings]
ZONE = "America/New_York"
PRICE = 0.0079

Reached = dict[tuple[str, str], Row]


mart = partial(oracle.mart, zone="Asia/Tokyo")
"""A mart's rows, as an analyst far from UTC reads them."""


def people_of(audience: Row, contacts: list[Row], *, wide: bool = False, inactive: bool = False) -> set[str]:
    lists = audience["source_lists"]
    return {
        row["phone_number"]
        for row in contacts
        if (not lists or row["list_id"] in lists)
        and (inactive or row["active"])
        and meets(audience["filter"], as_contact(row), wide=wide)
    }


def as_contact(row: Row) -> Row:
    return {**row, "revenue_total": float(row["revenue_total"])}


def is_counted(audience: Row) -> bool:
    return audience["status"] != "archived" and reason_of(audience) is None


def reason_of(audience: Row) -> str | None:
    if "on_dnc" in json.dumps(audience["filter"]):
        return "whether a contact is on the Do Not Call list is in no read of the API"
    if names_other_list(audience["filter"], audience["source_lists"]):
        return "a condition on another list than those that are drawn from is not documented"
    return None


def narrowed(audience: Row, schedule: Row) -> Row:
    """An audience as a schedule draws on it: on the lists of both. Lists that are in none of them are list 0."""
    own, theirs = set(schedule["source_lists"] or ()), set(audience["source_lists"] or ())
    both = own & theirs if own and theirs else own or theirs
    return {**audience, "source_lists": sorted(both or {0}) if own or theirs else []}


def resolved(account: dict[str, list[Row]], ref: Any) -> Row | None:
    by_id = {one["id"]: one for one in account["offers"]}
    by_slug = {one["slug"]: one for one in account["offers"] if one["slug"]}
    return by_id.get(ref) or by_slug.get(ref)


def links_of(account: dict[str, list[Row]]) -> list[tuple[str, Row, Any, Row]]:
    """Subject, its row, variant, link."""
    found = [("creatives", one, None, link) for one in account["creatives"] for link in one["offer_links"]]
    for one in account["schedules"]:
        for position, blast in enumerate(one["blasts"], 1):
            found += [("schedules", one, position, link) for link in blast["offer_links"]]
    return found


def as_sent(message: str) -> str:
    for link in ("{{link1}}", "{{ link1 }}", "{{link2}}"):
        message = message.replace(link, "x" * 23)
    return message.replace("{{first_name}}", "xxfirst_namexx") + "x" * 34


def estimate(message: str) -> int:
    length = len(as_sent(message))
    return 1 if length <= 160 else -(-length // 153)


def runs_of(schedule: Row) -> list[dt.date]:
    """The days of the next 92 on which a schedule runs."""
    days = [TODAY + dt.timedelta(days=number) for number in range(92)]
    if not schedule["is_repeating"]:
        return [day.date() for day in days if day == schedule["send_date"]]
    on = schedule["days_of_week"]
    return [
        day.date()
        for day in days
        if (on[WEEKDAYS[day.weekday()]] if isinstance(on, dict) else on[day.weekday()])
        and day >= schedule["start_date"]
        and (schedule["end_date"] is None or day <= schedule["end_date"])
    ]
