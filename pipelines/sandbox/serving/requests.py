"""What HTTP adds to a call: the version in the path, the JSON of the body, and headers of replies.

What does not belong here: what a call is to the resources (`calls`).
"""

import json
import math
from typing import Any

from pipelines.sandbox import v1
from pipelines.sandbox.serving.routes import ROUTES, ROUTES_OF_V1, find

PREFIX, PREFIX_OF_V1 = "/api/v2", "/api/v1"
TABLES = {PREFIX: ROUTES, PREFIX_OF_V1: ROUTES_OF_V1}


def of_version(path: str) -> tuple[str, str]:
    """A path's version, and what stands below it; no version where there is none."""
    prefix = next((prefix for prefix in TABLES if path.startswith(f"{prefix}/")), "")
    return prefix, path.removeprefix(prefix)


def parsed(body: bytes) -> dict[str, Any] | None:
    """The object of a body; an empty one for what is no object, and None for what is no JSON."""
    try:
        given = json.loads(body, parse_float=_finite, parse_constant=_finite) if body else {}
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else {}


def headers_for(method: str, path: str, status: int) -> dict[str, str]:
    """The headers of a reply: v1's warnings, and the methods that a path has.

    Args:
        method: of the request.
        path: the whole of it, with the version.
        status: of the reply.
    """
    version, below = of_version(path)
    headers = dict(v1.HEADERS) if version == PREFIX_OF_V1 else {}
    if method == "OPTIONS" or status == 405:
        methods = find(TABLES.get(version, ()), method, below)[2]
        headers["Allow"] = ", ".join(sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}))
    return headers


def _finite(text: str) -> float:
    """A number that JSON can have: neither NaN nor infinite."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
