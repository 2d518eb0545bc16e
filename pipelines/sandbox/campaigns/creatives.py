"""Creatives, per /api-reference/v2/creatives/*."""

import re
from collections.abc import Mapping
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.campaigns.offers import find_offer, offers_of
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
from pipelines.sandbox.requests.value_checks import MAX_NAME, is_text, rows_of
from pipelines.sandbox.requests.write_rules import CREATIVE, problem_of_values

MAX_MESSAGE = 1_600
TYPES = ("automated", "one_time", "welcome")
_STATUSES_OF_NEW = ("active", "paused")
STATUSES = (*_STATUSES_OF_NEW, "archived")
LINK = re.compile(r"\{\{(link[0-9]+)\}\}")
_LINK_LENGTH = 23
_COMPLIANCE_LENGTH = 34
_FIELDS = ("name", "message", "offer_links", "status", "creative_type")


def list_creatives(account: Account, call: Call) -> Reply:
    """GET /creatives: active ones by default, of every type."""
    query = {"status": "active", **{name: value for name, value in call.query.items() if value}}
    rows, wanted = by_status(account.creatives, query), query.get("creative_type")
    return paged("creatives", [row for row in rows if wanted in (None, row["creative_type"])], query)


def get_creative(account: Account, call: Call) -> Reply:
    """GET /creatives/{id}: archived ones too."""
    row = by_id(account.creatives, call.ids["id"])
    return not_found("Creative") if row is None else (200, row)


def post_creative(account: Account, call: Call) -> Reply:
    """POST /creatives."""
    given = {"status": "active", "creative_type": "automated", **call.body}
    refusal = _problem(given, _STATUSES_OF_NEW) or _problem_of_links(account, given)
    refusal = refusal or problem_of_values(CREATIVE, given)
    if refusal is not None:
        return refused(*refusal)
    number = max((row["id"] for row in account.creatives), default=0) + 1
    row = {"id": number, **{name: given[name] for name in _FIELDS}, "slug": f"crt_{number:06}"}
    row["created_at"] = f"{account.clock():%Y-%m-%dT%H:%M:%SZ}"
    account.creatives.append(_with_counts(account, row))
    return written(account.options.created_status, "creative", row, wrapped=account.options.wrapped)


def put_creative(account: Account, call: Call) -> Reply:
    """PUT /creatives/{id}: only the given fields; the counts follow the message and its links."""
    row = by_id(account.creatives, call.ids["id"])
    if row is None:
        return not_found("Creative")
    given = {name: call.body[name] for name in _FIELDS if name in call.body}
    counts = bool(given.keys() & {"message", "offer_links"})
    refusal = _problem(row | given, STATUSES) or (_problem_of_links(account, row | given) if counts else None)
    refusal = refusal or problem_of_values(CREATIVE, given)
    if refusal is not None:
        return refused(*refusal)
    row |= given
    if counts:
        _with_counts(account, row)
    return written(200, "creative", row, wrapped=account.options.wrapped)


def delete_creative(account: Account, call: Call) -> Reply:
    """DELETE /creatives/{id}: archives."""
    row = by_id(account.creatives, call.ids["id"])
    return not_found("Creative") if row is None else archived(row)


def _problem(row: Mapping[str, Any], statuses: tuple[str, ...]) -> Refusal | None:
    """Return the refusal of a changed creative, if any."""
    for name in ("name", "message"):
        if not is_text(row.get(name)):
            return f"missing_{name}", f"{name} is required"
    if not row.get("offer_links") or not isinstance(row["offer_links"], list):
        return "missing_offer_links", "offer_links is required"
    if len(row["name"]) > MAX_NAME:
        return "name_too_long", f"name has at most {MAX_NAME} characters"
    if len(row["message"]) > MAX_MESSAGE:
        return "message_too_long", f"message has at most {MAX_MESSAGE} characters"
    if row["status"] not in statuses:
        return "invalid_status", f"status is one of {', '.join(statuses)}"
    if row["creative_type"] not in TYPES:
        return "invalid_creative_type", f"creative_type is one of {', '.join(TYPES)}"
    return None


def _problem_of_links(account: Account, row: Mapping[str, Any]) -> Refusal | None:
    placeholders, links = set(LINK.findall(row["message"])), rows_of(row["offer_links"])
    if not placeholders:
        return "missing_link_placeholder", "message has no {{link1}}"
    for link in links:
        for name in ("key", "offer_id"):
            if not is_text(link.get(name)):
                return f"missing_offer_link_{name}", f"Every link needs {name}"
    if placeholders - {link["key"] for link in links}:
        return "missing_offer_links_for_placeholders", "Every placeholder needs a link"
    if any(find_offer(account, link["offer_id"]) is None for link in links):
        return "offer_not_found", "Offer not found"
    return None


def _with_counts(account: Account, row: Row) -> Row:
    row["character_count"], row["segment_count"] = estimate(row["message"])
    row["offers"] = offers_of(account, row["offer_links"])
    return row


def estimate(message: str) -> tuple[int, int]:
    """Return characters and segments by the vendor's rule, which ignores the encoding (/creatives/get-creative).

    A link counts as 23 characters, and 34 are added for the compliance text.
    """
    characters = len(LINK.sub("x" * _LINK_LENGTH, message)) + _COMPLIANCE_LENGTH
    return characters, 1 if characters <= 160 else -(-characters // 153)
