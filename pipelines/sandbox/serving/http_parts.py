"""HTTP parts of a call: the version in the path, the JSON of the body, and headers of replies.

What does not belong here: what a call is to the resources (`sandbox.requests.call`).
"""

import json
import math
from typing import Any

from pipelines.sandbox import v1
from pipelines.sandbox.replies import Refusal
from pipelines.sandbox.serving.routes import ROUTES, ROUTES_OF_V1, find

MOST_DIGITS = 400
PREFIX, PREFIX_OF_V1 = "/api/v2", "/api/v1"
TABLES = {PREFIX: ROUTES, PREFIX_OF_V1: ROUTES_OF_V1}


def of_version(path: str) -> tuple[str, str]:
    """Return a path's version ("" if none) and the path below it."""
    prefix = next((prefix for prefix in TABLES if path.startswith(f"{prefix}/")), "")
    return prefix, path.removeprefix(prefix)


def parsed(body: bytes) -> tuple[Any, Refusal | None]:
    """Return the JSON of a body (an empty object without a body), and its refusal, if any."""
    try:
        given = (
            json.loads(body, parse_float=_finite, parse_int=_whole, parse_constant=_no_number) if body else {}
        )
        if not body.isascii() or b"\\u" in body:
            json.dumps(given, ensure_ascii=False).encode()
    except _TooLargeError:
        return {}, ("number_too_large", "Request body has a number that is too large")
    except RecursionError:
        return {}, ("body_too_deep", "Request body is nested too deep for the sandbox")
    except UnicodeEncodeError:
        return {}, ("invalid_text", "Request body has half a character (a lone surrogate)")
    except ValueError:
        return {}, ("invalid_json", "Request body is not valid JSON")
    return given, None


def headers_for(method: str, path: str, status: int) -> dict[str, str]:
    """Return the headers of a reply: v1's warnings, and the methods of a path.

    Args:
        method: of the request.
        path: the complete path with the version.
        status: of the reply.
    """
    version, below = of_version(path)
    headers = dict(v1.HEADERS) if version == PREFIX_OF_V1 else {}
    if method == "OPTIONS" or status == 405:
        _, _, methods = find(TABLES.get(version, ()), method, below)
        headers["Allow"] = ", ".join(sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}))
    return headers


class _TooLargeError(ValueError):
    pass


def _finite(text: str) -> float:
    """A number that a float can hold."""
    number = float(text)
    if not math.isfinite(number):
        raise _TooLargeError
    return number


def _whole(text: str) -> int:
    """A whole number of no more digits than Python reads."""
    if len(text) > MOST_DIGITS:
        raise _TooLargeError
    return int(text)


def _no_number(text: str) -> float:
    raise ValueError(text)  # NaN and Infinity, which JSON does not have
