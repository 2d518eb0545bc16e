"""What replies are made of: refusals with a code, pages of rows, rows by status.

`per_page` above the documented maximum is lowered to it; values that are no number take the default. What does not
belong here: what a resource's rows look like (see the folders of the resources).
"""

import re
from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]
Reply = tuple[int, Any]
"""HTTP status and JSON."""
Refusal = tuple[str, str]
"""Code and error of one record of a bulk call."""

DEFAULT_PER_PAGE = 50
MAX_RECORDS = 1000
"""Records of a bulk call."""
MAX_NAMED_ERRORS = 100
"""Failures that a reply names; of more it gives only the number."""
_DIGITS = re.compile(r"[0-9]+")
_MOST_DIGITS = 400
LARGEST_PAGE = {"contacts": 1000}
"""/api-reference/v2/contacts/list-contacts; 100 elsewhere."""


def refused(code: str, error: str, status: int = 400) -> Reply:
    """A refusal in the documented form.

    Args:
        code: the vendor's name for the reason.
        error: its text.
        status: of HTTP.
    """
    return status, {"error": error, "code": code}


def not_found(what: str = "") -> Reply:
    """The answer to a path that is not served, or to an id that is not there."""
    return refused("not_found", f"{what} not found" if what else "Not found", 404)


def page_of(query: Mapping[str, str], resource: str) -> tuple[int, int]:
    """Page and rows a page that a query asks for."""
    per_page = min(_number(query.get("per_page"), DEFAULT_PER_PAGE), LARGEST_PAGE.get(resource, 100))
    return _number(query.get("page"), 1), per_page


def paged(resource: str, rows: list[Row], query: Mapping[str, str]) -> Reply:
    """One page of rows under the resource's name, with `pagination`.

    Args:
        resource: its name, which the rows stand under.
        rows: all of them, in order.
        query: the request's parameters.
    """
    page, per_page = page_of(query, resource)
    some = rows[(page - 1) * per_page : page * per_page]
    return 200, {resource: some, "pagination": pagination(page, per_page, len(rows))}


def pagination(page: int, per_page: int, total: int) -> Row:
    """What a reply says of its place among all pages.

    Args:
        page: from 1.
        per_page: the most rows on a page.
        total: rows in all.
    """
    return {"page": page, "per_page": per_page, "total": total, "total_pages": -(-total // per_page)}


def by_status(rows: list[Row], query: Mapping[str, str], hidden: str = "") -> list[Row]:
    """The rows of the status that is asked for; by default all but the hidden one.

    Args:
        rows: each with its `status`.
        query: the request's parameters.
        hidden: the status that is left out by default; "" for none.
    """
    status = query.get("status")
    return [row for row in rows if (row["status"] == status if status else row["status"] != hidden)]


def by_id(rows: list[Row], wanted: object) -> Row | None:
    """The row with an id, as a path writes it."""
    return next((row for row in rows if str(row["id"]) == str(wanted)), None)


def _number(text: str | None, default: int) -> int:
    return max(int(text[:_MOST_DIGITS]), 1) if text is not None and _DIGITS.fullmatch(text) else default


def written(status: int, name: str, row: Row, *, wrapped: bool) -> Reply:
    """What a write answers: the row, flat or under its name.

    Args:
        status: of HTTP.
        name: what the row is.
        row: as it is now.
        wrapped: whether it comes as `{success, <name>: {...}}`, as the older pages show.
    """
    return status, {"success": True, name: row} if wrapped else row


def archived(row: Row, status: str = "archived") -> Reply:
    """Delete a row, which only gives it another status."""
    row["status"] = status
    return 200, {"success": True, "archived": True}
