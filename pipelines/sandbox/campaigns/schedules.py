"""Schedules and their blasts, per /api-reference/v2/schedules/*. Nothing is ever sent, whatever their status."""

import re
from collections.abc import Mapping
from copy import deepcopy
from hashlib import sha256
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.campaigns.offers import find_offer
from pipelines.sandbox.replies import (
    Refusal,
    Reply,
    Row,
    archived,
    by_id,
    by_status,
    not_found,
    refused,
    written,
)
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.requests.value_checks import are_lists, is_text, problem_of_name, rows_of
from pipelines.sandbox.requests.write_rules import BLAST, SCHEDULE, is_day, problem_of_values

STATUSES = ("draft", "off", "on", "complete", "archive")
SEND_TYPES = ("blast", "automated")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DEFAULTS: Row = {
    "name": None,
    "status": "draft",
    "send_type": None,
    "source_lists": [],
    "audiences": [],
    "is_repeating": None,
    "send_time": None,
    "send_date": None,
    "start_date": None,
    "end_date": None,
    "days_of_week": None,
    "skip_within_hours": 0,
    "use_local_time": False,
    "filter_bots": False,
    "is_mms": False,
    "is_cto": False,
    "automated_percent": None,
    "blasts": [],
}
_OF_A_BLAST = ("message", "percent_audience", "offer_links", "variant_name", "mms_image_url")


def list_schedules(account: Account, call: Call) -> Reply:
    """GET /schedules: all schedules without pages; status `archive` only on request."""
    return 200, {"schedules": by_status(account.schedules, call.query, hidden="archive")}


def get_schedule(account: Account, call: Call) -> Reply:
    """GET /schedules/{id}."""
    row = by_id(account.schedules, call.ids["id"])
    return not_found("Schedule") if row is None else (200, row)


def post_schedule(account: Account, call: Call) -> Reply:
    """POST /schedules: a draft, unless a status is given."""
    given = deepcopy(_DEFAULTS) | {name: call.body[name] for name in _DEFAULTS if name in call.body}
    if (refusal := _problem(account, given, ("draft", "off", "on"))) is not None:
        return refused(*refusal)
    number, now = len(account.schedules) + 1, f"{account.clock():%Y-%m-%dT%H:%M:%SZ}"
    made = {"id": sha256(f"schedule {number} {now}".encode()).hexdigest()[:24], **given}
    row = {**made, "blasts": _blasts(given), "created_at": now, "updated_at": now}
    account.schedules.append(row)
    return written(account.options.created_status, "schedule", row, wrapped=True)


def put_schedule(account: Account, call: Call) -> Reply:
    """PUT /schedules/{id}: only the given fields; a schedule of status complete cannot be changed."""
    row = by_id(account.schedules, call.ids["id"])
    if row is None:
        return not_found("Schedule")
    if row["status"] == "complete":
        return refused("schedule_complete", "A complete schedule cannot be changed")
    given = {name: call.body[name] for name in _DEFAULTS if name in call.body}
    if (refusal := _problem(account, row | given, STATUSES, given)) is not None:
        return refused(*refusal)
    if "blasts" in given:
        given["blasts"] = _blasts(given)
    row |= {**given, "updated_at": f"{account.clock():%Y-%m-%dT%H:%M:%SZ}"}
    return written(200, "schedule", row, wrapped=True)


def delete_schedule(account: Account, call: Call) -> Reply:
    """DELETE /schedules/{id}: moves it to the archive, from where PUT can bring it back."""
    row = by_id(account.schedules, call.ids["id"])
    return not_found("Schedule") if row is None else archived(row, "archive")


def _problem(
    account: Account, row: Row, statuses: tuple[str, ...], given: Row | None = None
) -> tuple[str, str, int] | None:
    """Return the refusal of a changed schedule, if any; references are checked only if they are given."""
    refusal = _problem_of_fields(row, statuses) or _problem_of_days(row)
    if refusal is None and row["send_type"] == "blast":
        refusal = _problem_of_blasts(rows_of(row["blasts"]))
    refusal = refusal or problem_of_values(SCHEDULE, row if given is None else given)
    if refusal is not None:
        return (*refusal, 400)
    return _problem_of_references(account, row if given is None else given)


def _problem_of_references(account: Account, given: Row) -> tuple[str, str, int] | None:
    active = [one["id"] for one in account.audiences if one["status"] == "active"]
    if not all(one in active for one in given.get("audiences", ())):
        return "audience_not_found", "An audience was not found, or is not active", 404
    if not are_lists(account, given.get("source_lists", [])):
        return "source_list_not_found", "A source list was not found", 404
    if not all(_knows_offers(account, one) for one in rows_of(given.get("blasts"))):
        return "offer_not_found", "An offer of a link was not found", 404
    return None


def _knows_offers(account: Account, blast: Row) -> bool:
    """Whether the offers of a blast's links exist."""
    named = [link.get("offer_id") for link in blast.get("offer_links") or ()]
    return all(find_offer(account, one) is not None for one in named)


def _problem_of_fields(row: Mapping[str, Any], statuses: tuple[str, ...]) -> Refusal | None:
    if (refusal := problem_of_name(row["name"])) is not None:
        return refusal
    if row["send_type"] in (None, ""):
        return "missing_send_type", "send_type is required"
    if row["send_type"] not in SEND_TYPES:
        return "invalid_send_type", f"send_type is one of {', '.join(SEND_TYPES)}"
    if not isinstance(row["is_repeating"], bool):
        return "missing_is_repeating", "is_repeating is required: true or false"
    if not isinstance(row["send_time"], str) or not _TIME.fullmatch(row["send_time"]):
        return "missing_send_time", "send_time is required, as HH:MM"
    if not isinstance(row["audiences"], list) or not row["audiences"]:
        return "missing_audiences", "audiences is required"
    if row["status"] not in statuses:
        return "invalid_status", f"status is one of {', '.join(statuses)}"
    return None


def _problem_of_days(row: Mapping[str, Any]) -> Refusal | None:
    """Return the refusal of the day, or of the first and last day and the days of the week, if any."""
    for name in ("start_date", "end_date") if row["is_repeating"] else ("send_date",):
        if not is_day(row[name]):
            return f"missing_{name}", f"{name} is required, as YYYY-MM-DD"
    days = row["days_of_week"]
    chosen = isinstance(days, list) and len(days) == 7 and any(day is True for day in days)
    if row["is_repeating"] and not chosen:
        return "no_days_selected", "days_of_week is seven booleans, at least one true"
    return None


def _problem_of_blasts(blasts: list[Row]) -> Refusal | None:
    if not blasts:
        return "missing_blasts", "blasts is required for a blast"
    shares = [one.get("percent_audience") for one in blasts]
    if not all(BLAST["percent_audience"].fits(share) for share in shares) or abs(sum(shares) - 100) > 1e-6:  # type: ignore[arg-type] # numbers
        return "invalid_blast_percent", "percent_audience of all blasts adds up to 100"
    if not all(is_text(one.get("message")) for one in blasts):
        return "missing_blast_message", "Every blast needs a message"
    return None


def _blasts(given: Row) -> list[Row]:
    """Return blasts as a read shows them: without an id, and without the creative that they came from."""
    empty: Row = {"offer_links": [], "variant_name": None, "mms_image_url": None}
    return [
        {name: empty.get(name) if one.get(name) is None else one[name] for name in _OF_A_BLAST}
        for one in rows_of(given["blasts"])
    ]
