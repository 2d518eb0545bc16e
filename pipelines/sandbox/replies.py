"""What replies are made of: refusals with a code, rows by status or by id, written rows.

What does not belong here: pages of rows (`pagination`), and what a resource's rows look like (see the folders of the
resources).
"""

from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]
Reply = tuple[int, Any]
"""HTTP status and JSON."""
Refusal = tuple[str, str]
"""Code and error of one record of a bulk call."""

MAX_RECORDS = 1000
"""Records of a bulk call."""
MAX_NAMED_ERRORS = 100
"""Failures that a reply names; of more it gives only the number."""


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
