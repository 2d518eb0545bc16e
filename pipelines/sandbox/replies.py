"""Parts of replies: refusals with a code, rows by status or by id, written rows.

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
"""Most failures that a reply names; it only counts further ones."""


def refused(code: str, error: str, status: int = 400) -> Reply:
    """A refusal in the documented form.

    Args:
        code: the vendor's name for the reason.
        error: its text.
        status: of HTTP.
    """
    return status, {"error": error, "code": code}


def not_found(what: str = "") -> Reply:
    """Return the answer to a path that is not served, or to an id that does not exist."""
    return refused("not_found", f"{what} not found" if what else "Not found", 404)


def by_status(rows: list[Row], query: Mapping[str, str], hidden: str = "") -> list[Row]:
    """Return the rows with the requested status; by default all except the hidden status.

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
    """Return the answer to a write: the row, flat or under its name.

    Args:
        status: of HTTP.
        name: the row's name.
        row: the row after the write.
        wrapped: whether the row comes as `{success, <name>: {...}}`, as the older pages show.
    """
    return status, {"success": True, name: row} if wrapped else row


def archived(row: Row, status: str = "archived") -> Reply:
    """Delete a row by giving it another status."""
    row["status"] = status
    return 200, {"success": True, "archived": True}
