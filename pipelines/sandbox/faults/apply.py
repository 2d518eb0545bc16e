"""Applies a fault to a reply: refusal, damage, or misleading totals.

What does not belong here: flaws in rows (`flaws`), and faults of the connection (`replies`, `abort`).
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from pipelines.sandbox.faults.kinds import Fault
from pipelines.sandbox.faults.replies import as_json, page, rewritten
from pipelines.sandbox.pagination import page_of
from pipelines.sandbox.replies import Reply

Struck = Mapping[str, Fault]


def refusal(struck: Struck, size: int) -> Response | None:
    """Return the answer of a failing service, or of a proxy before it, which does no work."""
    if "limit" in struck and size > struck["limit"].value:
        return page(413, "413 Request Entity Too Large")
    if "429" in struck:
        seconds = struck["429"].seconds
        headers = {} if seconds is None else {"Retry-After": f"{seconds:g}"}
        return as_json(429, {"error": "Too many requests", "code": "rate_limited"}, headers)
    if "502" in struck:
        return page(502, "Bad gateway")
    if "error" in struck:
        fault = struck["error"]
        return as_json(fault.status, {"error": "Refused on demand", "code": fault.code})
    for status in (500, 503):
        if str(status) in struck:
            return as_json(status, {"error": "Internal error", "code": "internal_error"})
    return None


def spoilt(struck: Struck, status: int, reply: Any) -> Response:
    """Return the answer after the work, changed by faults.

    Args:
        struck: the faults that strike this request, by kind.
        status: of the answer.
        reply: its content.
    """
    if "html" in struck:
        return page(200, "Bad gateway")
    if "shape" in struck:
        return as_json(200, {"data": {"items": []}})
    if "zeros" in struck:
        return as_json(200, {"success_count": 0, "error_count": 0, "errors": []})
    if "rewritten" in struck:
        return rewritten(status, reply)
    return as_json(status, reply)


def misled(reply: Reply, struck: Struck, asked: dict[str, str]) -> Reply:
    """Return a page with misleading totals, or another page than the requested one.

    Args:
        reply: status and content of the page.
        struck: the faults that strike this request, by kind.
        asked: the query's parameters.
    """
    status, content = reply
    if "pagination" not in content:
        return reply
    if "total" in struck:
        content["pagination"]["total"] = struck["total"].value
    if "no-pages" in struck:
        content["pagination"]["total_pages"] = 0
    if "no-total" in struck:
        del content["pagination"]["total"]
    if "cut" in struck:
        (name,) = content.keys() - {"pagination"}
        before = (content["pagination"]["page"] - 1) * content["pagination"]["per_page"]
        content[name] = content[name][: max(struck["cut"].value - before, 0)]
    if "repeat" in struck:
        content["pagination"]["page"] = page_of(asked, "")[0]
    return status, content
