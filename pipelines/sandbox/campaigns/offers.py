"""Offers, per /api-reference/v2/offers/*."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from hashlib import sha256
from typing import Any

from pipelines.sandbox.account import Account
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
from pipelines.sandbox.requests.value_checks import MAX_NAME, is_text
from pipelines.sandbox.requests.write_rules import OFFER, problem_of_values

_STATUSES_OF_NEW = ("active", "paused")
STATUSES = (*_STATUSES_OF_NEW, "archived")
_ALLOWED: dict[str, tuple[str | None, ...]] = {
    "external_platform": ("tune", "everflow", None),
    "payout_type": ("cpa", "cpc"),
}
_DEFAULTS: Row = {
    "name": None,
    "tracking_url": None,
    "external_platform": None,
    "external_id": None,
    "advertiser_id": None,
    "payout": 0.0,
    "payout_type": "cpa",
    "filter_bots": False,
    "status": "active",
    "metadata": {},
}


def list_offers(account: Account, call: Call) -> Reply:
    """GET /offers: by default without archived offers."""
    return paged("offers", by_status(account.offers, call.query, hidden="archived"), call.query)


def get_offer(account: Account, call: Call) -> Reply:
    """GET /offers/{id}: archived ones too."""
    row = by_id(account.offers, call.ids["id"])
    return not_found("Offer") if row is None else (200, row)


def post_offer(account: Account, call: Call) -> Reply:
    """POST /offers."""
    given = deepcopy(_DEFAULTS) | {name: call.body[name] for name in _DEFAULTS if name in call.body}
    if (refusal := _problem(given, given, _STATUSES_OF_NEW)) is not None:
        return refused(*refusal)
    number, now = len(account.offers) + 1, f"{account.clock():%Y-%m-%dT%H:%M:%SZ}"
    made = {"id": sha256(f"offer {number} {now}".encode()).hexdigest()[:24], **given}
    row = {**made, "created_at": now, "updated_at": now, "slug": f"ofr_{number:06}"}
    account.offers.append(row)
    return written(account.options.created_status, "offer", row, wrapped=account.options.wrapped)


def put_offer(account: Account, call: Call) -> Reply:
    """PUT /offers/{id}: only the given fields; metadata is merged."""
    row = by_id(account.offers, call.ids["id"])
    if row is None:
        return not_found("Offer")
    given = {name: call.body[name] for name in _DEFAULTS if name in call.body}
    if (refusal := _problem(row | given, given, STATUSES)) is not None:
        return refused(*refusal)
    merged = {**row["metadata"], **given.get("metadata", {})}
    row |= {**given, "metadata": merged, "updated_at": f"{account.clock():%Y-%m-%dT%H:%M:%SZ}"}
    return written(200, "offer", row, wrapped=account.options.wrapped)


def delete_offer(account: Account, call: Call) -> Reply:
    """DELETE /offers/{id}: archives, which PUT can undo."""
    row = by_id(account.offers, call.ids["id"])
    return not_found("Offer") if row is None else archived(row)


def find_offer(account: Account, named: object) -> Row | None:
    """Return the offer with an id or a slug."""
    return next((row for row in account.offers if named in (row["id"], row.get("slug", row["id"]))), None)


def offers_of(account: Account, links: Iterable[Row]) -> list[Row]:
    """Return the existing offers that links name."""
    named = {link["offer_id"] for link in links}
    known = [offer for offer in account.offers if {offer["id"], offer.get("slug")} & named]
    return [{"id": offer["id"], "name": offer["name"]} for offer in known]


def _problem(row: Mapping[str, Any], given: Row, statuses: tuple[str, ...]) -> Refusal | None:
    """Return the refusal of a changed offer, or of a given value, if any."""
    for name in ("name", "tracking_url"):
        if not is_text(row[name]):
            return f"missing_{name}", f"{name} is required"
    if len(row["name"]) > MAX_NAME:
        return "name_too_long", f"name has at most {MAX_NAME} characters"
    for name, values in (*_ALLOWED.items(), ("status", statuses)):
        if not isinstance(row[name], str | None) or row[name] not in values:
            return f"invalid_{name}", f"{name} is one of {', '.join(filter(None, values))}"
    return problem_of_values(OFFER, given)
