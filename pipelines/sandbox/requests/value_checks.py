"""Checks of values in bodies. A value of a wrong type counts as missing or invalid.

What does not belong here: the codes of refusals (see the folders of the resources).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Refusal, Row

MAX_NAME = 255
"""/api-reference/v2/offers/create-offer and others: names have at most 255 characters."""

LARGEST_NUMBER = 10**15
YEARS = range(1970, 2200)
"""Years of valid times."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def is_phone(value: object) -> bool:
    """Whether a value is a phone number in E.164."""
    return isinstance(value, str) and _E164.fullmatch(value) is not None


def is_text(value: object) -> bool:
    """Whether a value is a text that is not empty."""
    return isinstance(value, str) and bool(value.strip())


def is_number(value: object) -> bool:
    """Whether a value is a number of a usual size; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER


def rows_of(value: object) -> list[Row]:
    """Return the objects of an array; another element counts as an empty object, another value as no rows."""
    return [one if isinstance(one, dict) else {} for one in value] if isinstance(value, list) else []


def instant(value: object) -> datetime | None:
    """Return an ISO 8601 text as an aware time of a usual year; without a zone it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        when = datetime.fromisoformat(value)
        found = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year in YEARS else None


def missing(body: Mapping[str, Any], *names: str) -> Refusal | None:
    """The refusal for the first of these fields that has no value."""
    for name in names:
        if body.get(name) in (None, ""):
            return f"missing_{name}", f"{name} is required"
    return None


def problem_of_name(name: object) -> Refusal | None:
    """Return the refusal of a name, if any."""
    if not isinstance(name, str) or not is_text(name):
        return "missing_name", "name is required"
    return ("name_too_long", f"name has at most {MAX_NAME} characters") if len(name) > MAX_NAME else None


def phone_and_list(account: Account, body: Mapping[str, Any]) -> Refusal | None:
    """Return the refusal of phone_number and list_number, which most writes of contacts have, if any."""
    if (refusal := missing(body, "phone_number", "list_number")) is not None:
        return refusal
    if not is_phone(body["phone_number"]):
        return "invalid_phone", "phone_number is not a valid E.164 number"
    return problem_of_list(account, body)


def problem_of_list(account: Account, body: Mapping[str, Any]) -> Refusal | None:
    """Return the refusal of a given list_number, if any."""
    if not is_phone(body["list_number"]):
        return "invalid_list_number", "list_number is not a valid E.164 number"
    return None if account.list_of(body["list_number"]) else ("list_not_found", "List not found")


def are_lists(account: Account, ids: object) -> bool:
    """Whether a value is an array of ids of lists that are not deleted; an empty array means all lists."""
    known = [row["id"] for row in account.lists if row["status"] != "deleted"]
    return isinstance(ids, list) and all(type(one) is int and one in known for one in ids)
