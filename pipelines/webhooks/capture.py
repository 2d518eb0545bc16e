"""A request that somebody has captured, as a file: an HTTP request as text, or JSON of its headers and body.

What does not belong here: what its signature is (`signature`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pipelines.errors import UsageError
from pipelines.storage import storage_errors
from pipelines.webhooks.signature import HEADER

_MOST_BYTES = 32 * 2**20
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_EXPECTED = (
    "It holds a request as it came: the line with POST, the headers, an empty line, the body; or JSON with headers "
    "and body."
)


@dataclass(frozen=True, slots=True)
class Captured:
    """A captured request.

    Attributes:
        headers: by name in small letters.
        bodies: what the body may have been: as it is there, and without a line end that an editor added.
    """

    headers: Mapping[str, str]
    bodies: tuple[bytes, ...]

    @property
    def signature(self) -> str:
        """Its signature; "" where it has none."""
        return self.headers.get(HEADER.lower(), "")


def read_captured(path: Path) -> Captured:
    """Read a captured request.

    Raises:
        UsageError: the file holds none.
    """
    if not path.is_file():
        raise UsageError(f"{path} is no file.", "Name a file that holds a captured request.")
    with storage_errors("read", path, "FILE"), path.open("rb") as file:
        content = file.read(_MOST_BYTES)
    found = _from_json(content) or _from_http(content)
    if found is None:
        raise UsageError(f"{path} holds no request.", _EXPECTED)
    return found


def _from_json(content: bytes) -> Captured | None:
    try:
        given = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(given, dict) or "headers" not in given:
        return None
    headers, body = (
        _headers(given["headers"]),
        next((given[name] for name in ("body", "content") if name in given), ""),
    )
    text = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    return Captured(headers, (text,))


def _headers(given: Any) -> dict[str, str]:
    """Headers as an object, or as a list of objects with name and value."""
    if isinstance(given, list):
        given = {one.get("name", ""): one.get("value", "") for one in given if isinstance(one, dict)}
    pairs = given.items() if isinstance(given, dict) else ()
    return {
        str(name).lower(): str(value[0] if isinstance(value, list) and value else value)
        for name, value in pairs
    }


def _from_http(content: bytes) -> Captured | None:
    end = _HEAD_END.search(content)
    if end is None:
        return None
    lines = content[: end.start()].decode("latin-1").splitlines()
    pairs = [line.partition(":") for line in lines if ":" in line.split(" ")[0]]
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body, size = content[end.end() :], headers.get("content-length", "")
    if size.isdigit() and 0 < int(size) <= len(body):
        return Captured(headers, (body[: int(size)],))
    return (
        Captured(headers, tuple(dict.fromkeys((body, body.removesuffix(b"\n").removesuffix(b"\r")))))
        if headers
        else None
    )
