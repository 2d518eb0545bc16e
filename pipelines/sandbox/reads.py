"""GET routes: what the account's reads reply, per the vendor's pages on contacts, lists, offers and so on.

`per_page` above the documented maximum is lowered to it; values that are no number take the default.
"""

from collections.abc import Mapping
from typing import Any

from pipelines.sandbox.account import Account, Row

DEFAULT_PER_PAGE = 50
LARGEST_PAGE = {"contacts": 1000}
"""/api-reference/v2/contacts/list-contacts; 100 elsewhere."""

Reply = tuple[int, Any]


def read(account: Account, resource: str, query: Mapping[str, str]) -> Reply:
    """Answer GET /<resource>: status and JSON."""
    match resource:
        case "contacts":
            return _contacts(account, query)
        case "lists":
            return 200, {"lists": _by_status(account.lists, query, hidden="deleted")}
        case "schedules":
            return 200, {"schedules": _by_status(account.schedules, query)}
        case "offers":
            return _paged("offers", _by_status(account.offers, query, hidden="archived"), query)
        case "audiences":
            return _paged("audiences", _by_status(account.audiences, query), query)
        case "creatives":
            active = {"status": "active", **query}
            return _paged("creatives", _by_status(account.creatives, active), query)
        case "revenue" if account.options.revenue_events:
            return _paged("revenue", account.revenue[::-1], query)
        case _:
            return not_found()


def read_contact(account: Account, phone: str) -> Reply:
    """Answer GET /contacts/{phone}; no revenue fields (/api-reference/v2/contacts/get-contact)."""
    rows = account.contacts_of(phone)
    if not rows:
        return 404, {"error": "Contact not found", "code": "contact_not_found"}
    flat = {name: rows[0][name] for name in ("phone_number", "carrier", "line_type", "timezone", "is_valid")}
    names = ("list_id", "list_number", "active", "signup_date", "custom_fields", "send_count", "click_count")
    return 200, {**flat, "lists": [{name: row[name] for name in names} for row in rows]}


def not_found() -> Reply:
    """The answer to a path that is not served."""
    return 404, {"error": "Not found", "code": "not_found"}


def page_of(query: Mapping[str, str], resource: str) -> tuple[int, int]:
    """Page and rows a page that a query asks for."""
    per_page = min(_number(query.get("per_page"), DEFAULT_PER_PAGE), LARGEST_PAGE.get(resource, 100))
    return _number(query.get("page"), 1), per_page


def _contacts(account: Account, query: Mapping[str, str]) -> Reply:
    number, active = query.get("list_number"), query.get("active")
    page, per_page = page_of(query, "contacts")
    if number is None and active is None:
        rows = account.contact_page((page - 1) * per_page, page * per_page)
        return 200, {"contacts": rows, "pagination": _pagination(page, per_page, account.contact_count())}
    chosen = [
        row
        for row in account.contacts()
        if number in (None, row["list_number"]) and active in (None, str(row["active"]).lower())
    ]
    return _paged("contacts", chosen, query)


def _by_status(rows: list[Row], query: Mapping[str, str], hidden: str = "") -> list[Row]:
    status = query.get("status")
    return [row for row in rows if (row["status"] == status if status else row["status"] != hidden)]


def _paged(resource: str, rows: list[Row], query: Mapping[str, str]) -> Reply:
    page, per_page = page_of(query, resource)
    some = rows[(page - 1) * per_page : page * per_page]
    return 200, {resource: some, "pagination": _pagination(page, per_page, len(rows))}


def _pagination(page: int, per_page: int, total: int) -> Row:
    return {"page": page, "per_page": per_page, "total": total, "total_pages": -(-total // per_page)}


def _number(text: str | None, default: int) -> int:
    return max(int(text), 1) if text is not None and text.isdigit() else default
