"""Audiences, per /api-reference/v2/audiences/*.

Rows are stored as the list shows them, with filters in either spelling. A single audience is served in camelCase, and
every group of its filter has `groups`.
"""

from hashlib import sha256
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.campaigns.filters import OF_A_CONDITION, problem_of_filter
from pipelines.sandbox.campaigns.matching import chooses
from pipelines.sandbox.pagination import paged
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
from pipelines.sandbox.requests.value_checks import MAX_NAME, are_lists, is_text
from pipelines.sandbox.requests.write_rules import AUDIENCE, problem_of_values

CAMEL = {"condition_type": "conditionType", "list_id": "listId"}
"""Names in a condition that replies may spell differently from requests."""


def list_audiences(account: Account, call: Call) -> Reply:
    """GET /audiences: archived audiences only on request."""
    return paged("audiences", by_status(account.audiences, call.query, hidden="archived"), call.query)


def get_audience(account: Account, call: Call) -> Reply:
    """GET /audiences/{id}: archived ones too."""
    row = by_id(account.audiences, call.ids["id"])
    return not_found("Audience") if row is None else (200, shown_alone(row))


def get_size(account: Account, call: Call) -> Reply:
    """GET /audiences/{id}/size: counts now, and writes the size into the audience."""
    row = by_id(account.audiences, call.ids["id"])
    if row is None:
        return not_found("Audience")
    now = account.clock()
    row["cached_size"] = size_of(account, row)
    row["cached_size_updated_at"] = f"{now:%Y-%m-%dT%H:%M:%S}"
    body = {
        "audience_id": row["id"],
        "size": row["cached_size"],
        "calculated_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
    }
    return 200, body


def post_audience(account: Account, call: Call) -> Reply:
    """POST /audiences: a name and a filter are required."""
    given = {"description": None, "source_lists": [], "name": None, **call.body}
    if given.get("filter") is None and is_text(given["name"]):
        return refused("missing_filter", "filter is required")
    if (refusal := _problem(account, given)) is not None:
        return refused(*refusal)
    number, now = len(account.audiences) + 1, f"{account.clock():%Y-%m-%dT%H:%M:%S}"
    row = {
        "id": sha256(f"audience {number} {now}".encode()).hexdigest()[:24],
        **{name: given[name] for name in ("name", "description", "source_lists")},
        "filter": in_camel_case(given["filter"]),
        "cached_size": None,
        "cached_size_updated_at": None,
        "status": "active",
        "created_at": now,
    }
    account.audiences.append(row)
    return written(account.options.created_status, "audience", row, wrapped=account.options.wrapped)


def put_audience(account: Account, call: Call) -> Reply:
    """PUT /audiences/{id}: only the given fields; a different filter removes the cached size."""
    row = by_id(account.audiences, call.ids["id"])
    if row is None:
        return not_found("Audience")
    names = ("name", "description", "source_lists", "filter")
    given = {name: call.body[name] for name in names if name in call.body}
    if (refusal := _problem(account, given)) is not None:
        return refused(*refusal)
    if "filter" in given:
        given["filter"] = in_camel_case(given["filter"])
        if given["filter"] != in_camel_case(row["filter"]):
            given |= {"cached_size": None, "cached_size_updated_at": None}
    row |= given
    return written(200, "audience", shown_alone(row), wrapped=account.options.wrapped)


def delete_audience(account: Account, call: Call) -> Reply:
    """DELETE /audiences/{id}: archives."""
    row = by_id(account.audiences, call.ids["id"])
    return not_found("Audience") if row is None else archived(row)


def size_of(account: Account, audience: Row) -> int:
    """Count an audience's people: each phone number once, by default only active contacts."""
    options = account.options
    chosen = chooses(audience["filter"], account.clock(), never_is_old=options.never_is_old)
    lists = set(audience["source_lists"]) or {row["id"] for row in account.lists}
    rows = [row for row in account.contacts() if row["list_id"] in lists]
    phones = [
        row["phone_number"] for row in rows if (row["active"] or options.size_counts_inactive) and chosen(row)
    ]
    return len(phones) if options.size_counts_rows else len(set(phones))


def shown_alone(audience: Row) -> Row:
    """Return an audience in the form of GET /audiences/{id}."""
    return {**audience, "filter": in_camel_case(audience["filter"])}


def in_camel_case(group: Row) -> Row:
    """Return a filter with its names in camelCase, and with `groups` in every group."""
    conditions = [_condition(one) for one in group.get("conditions") or ()]
    groups = [in_camel_case(one) for one in group.get("groups") or ()]
    return {"operator": group.get("operator", "AND"), "conditions": conditions, "groups": groups}


def _condition(condition: dict[str, Any]) -> Row:
    return {CAMEL.get(name, name): value for name, value in condition.items() if name in OF_A_CONDITION}


def _problem(account: Account, given: Row) -> Refusal | None:
    """Return the refusal of the given fields, if any."""
    if "name" in given and not is_text(given["name"]):
        return "missing_name", "name is required"
    if len(given.get("name", "")) > MAX_NAME:
        return "name_too_long", f"name has at most {MAX_NAME} characters"
    if not are_lists(account, given.get("source_lists", [])):
        return "source_list_not_found", "A source list was not found"
    return (problem_of_filter(given["filter"]) if "filter" in given else None) or problem_of_values(
        AUDIENCE, given
    )
