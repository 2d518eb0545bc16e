"""Offers, per /api-reference/v2/offers/*."""

from pipelines.sandbox.account import Account
from pipelines.sandbox.calls import Call
from pipelines.sandbox.replies import Reply, by_id, by_status, not_found, paged


def list_offers(account: Account, call: Call) -> Reply:
    """GET /offers: all but archived ones by default."""
    return paged("offers", by_status(account.offers, call.query, hidden="archived"), call.query)


def get_offer(account: Account, call: Call) -> Reply:
    """GET /offers/{id}."""
    row = by_id(account.offers, call.ids["id"])
    return not_found("Offer") if row is None else (200, row)
