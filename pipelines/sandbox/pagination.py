"""Pages of rows: the page that a query requests, and the page that is served.

`per_page` above the documented maximum is lowered to it; values that are not numbers get the default. What does not
belong here: which rows there are (see the folders of the resources), and pages with faults (`faults`).
"""

import re
from collections.abc import Mapping

from pipelines.sandbox.replies import Reply, Row

DEFAULT_PER_PAGE = 50
LARGEST_PAGE = {"contacts": 1000}
"""/api-reference/v2/contacts/list-contacts; 100 elsewhere."""

_DIGITS = re.compile(r"[0-9]+")
_MOST_DIGITS = 400


def page_of(query: Mapping[str, str], resource: str) -> tuple[int, int]:
    """Return the page number and page size of a query."""
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
    """Return the `pagination` object of a reply.

    Args:
        page: from 1.
        per_page: the most rows on a page.
        total: rows in all.
    """
    return {"page": page, "per_page": per_page, "total": total, "total_pages": -(-total // per_page)}


def _number(text: str | None, default: int) -> int:
    return max(int(text[:_MOST_DIGITS]), 1) if text is not None and _DIGITS.fullmatch(text) else default
