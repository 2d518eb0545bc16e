"""Audiences, per /api-reference/v2/audiences/*.

The rows are kept as the list shows them: their filters in either spelling. One audience alone comes in camelCase, and
every group of its filter has `groups`.
"""

from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.calls import Call
from pipelines.sandbox.campaigns.matching import chooses
from pipelines.sandbox.replies import Reply, Row, by_id, by_status, not_found, paged

CAMEL = {"condition_type": "conditionType", "list_id": "listId"}
"""The names of a condition that replies may write in another way than requests do."""


def list_audiences(account: Account, call: Call) -> Reply:
    """GET /audiences: archived ones only when asked for."""
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
    told = {
        "audience_id": row["id"],
        "size": row["cached_size"],
        "calculated_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
    }
    return 200, told


def size_of(account: Account, audience: Row) -> int:
    """How many people an audience has: each phone number once, by default only active contacts."""
    options = account.options
    chosen = chooses(audience["filter"], account.clock(), never_is_old=options.never_is_old)
    lists = set(audience["source_lists"]) or {row["id"] for row in account.lists}
    rows = [row for row in account.contacts() if row["list_id"] in lists]
    phones = [
        row["phone_number"] for row in rows if (row["active"] or options.size_counts_inactive) and chosen(row)
    ]
    return len(phones) if options.size_counts_rows else len(set(phones))


def shown_alone(audience: Row) -> Row:
    """An audience as GET /audiences/{id} has it."""
    return {**audience, "filter": in_camel_case(audience["filter"])}


def in_camel_case(group: Row) -> Row:
    """A filter with its names in camelCase, and with `groups` in every group."""
    conditions = [_condition(one) for one in group.get("conditions", ())]
    groups = [in_camel_case(one) for one in group.get("groups", ())]
    return {"operator": group.get("operator", "AND"), "conditions": conditions, "groups": groups}


def _condition(condition: dict[str, Any]) -> Row:
    return {CAMEL.get(name, name): value for name, value in condition.items()}
