"""Reads a captured request from a file: HTTP as text, or JSON with headers and body (inspectors, HAR).

What does not belong here: its signature (`signature`).
"""

import binascii
import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pipelines.errors import UsageError
from pipelines.storage import storage_errors
from pipelines.webhooks.signature import HEADER

_MOST_BYTES = 32 * 2**20
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_ARROW_END = re.compile(rb"^> ?\r?\n", re.MULTILINE)
_ARROW = re.compile(rb"^> ?", re.MULTILINE)
"""The prefix of each header line in the output of `curl -v` and some proxies."""

_DEEPEST = 8
_EXPECTED = (
    "It holds a request as it came: the line with POST, the headers, an empty line, the body; or JSON with headers "
    "and body."
)


@dataclass(frozen=True, slots=True)
class Captured:
    """A captured request.

    Attributes:
        headers: by name in lower case.
        bodies: the possible bodies: as in the file, and without a line end that an editor may have added.
    """

    headers: Mapping[str, str]
    bodies: tuple[bytes, ...]

    @property
    def signature(self) -> str:
        """Its signature; "" if it has none."""
        return self.headers.get(HEADER.lower(), "")


def read_captured(path: Path) -> Captured:
    """Read a captured request.

    Raises:
        UsageError: the file holds no request.
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
        given = msgspec.json.decode(content.removeprefix(codecs.BOM_UTF8))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    requests = [
        Captured(_headers(one["headers"]), tuple(dict.fromkeys(_bodies(one)))) for one in _requests(given)
    ]
    return next((one for one in requests if one.signature), next(iter(requests), None))


def _requests(given: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield objects with headers, from all places where inspectors and HAR have them."""
    if isinstance(given, dict) and isinstance(given.get("headers"), dict | list):
        yield given
    elif isinstance(given, dict | list) and depth < _DEEPEST:
        for inner in given.values() if isinstance(given, dict) else given:
            yield from _requests(inner, depth + 1)


def _bodies(request: dict[str, Any]) -> Iterator[bytes]:
    """Yield the possible bodies; a body that was decoded for display may have had several forms."""
    if isinstance(raw := request.get("raw"), str) and (whole := _from_base64(raw)):  # ngrok: head and body
        found = _from_http(whole)
        yield from found.bodies if found else (whole,)
    body = next((request[name] for name in ("body", "content", "postData") if name in request), "")
    is_coded = request.get("isBase64Encoded") is True  # AWS
    if isinstance(body, dict) and "mimeType" in body:  # HAR
        body, is_coded = body.get("text", ""), body.get("encoding") == "base64"
    yield from _written(body, is_coded=is_coded)


def _written(body: Any, *, is_coded: bool) -> Iterator[bytes]:
    """Yield the forms in which a body may have been sent before an inspector stored it."""
    if not isinstance(body, str):
        yield msgspec.json.encode(body)
        yield json.dumps(body).encode()
        return
    if is_coded and (decoded := _from_base64(body)):
        yield decoded
    yield body.encode(errors="surrogatepass")


def _from_base64(text: str) -> bytes | None:
    try:
        return binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        return None


def _headers(given: Any) -> dict[str, str]:
    """Return headers from an object, or from a list of objects with name and value."""
    if isinstance(given, list):
        given = {one.get("name", ""): one.get("value", "") for one in given if isinstance(one, dict)}
    pairs = given.items() if isinstance(given, dict) else ()
    return {
        str(name).lower(): str(value[0] if isinstance(value, list) and value else value)
        for name, value in pairs
    }


def _from_http(content: bytes) -> Captured | None:
    end = (_ARROW_END if content.startswith(b">") else _HEAD_END).search(content)
    if end is None:
        return None
    lines = _ARROW.sub(b"", content[: end.start()]).decode("latin-1").splitlines()
    pairs = [line.partition(":") for line in lines if ":" in line.split(" ")[0]]
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Captured(headers, tuple(_bodies_after(headers, content[end.end() :]))) if headers else None


def _bodies_after(headers: Mapping[str, str], rest: bytes) -> Iterator[bytes]:
    """Yield the possible bodies after the headers."""
    size = headers.get("content-length", "")
    if size.isascii() and size.isdigit() and 0 < int(size) <= len(rest):
        yield rest[: int(size)]
        return
    if "chunked" in headers.get("transfer-encoding", "").lower() and (joined := _unchunked(rest)):
        yield joined
    yield from dict.fromkeys((rest, rest.removesuffix(b"\n").removesuffix(b"\r")))


def _unchunked(rest: bytes) -> bytes | None:
    """Return the body of a chunked transfer; None if the chunk sizes are missing."""
    parts: list[bytes] = []
    while found := re.match(rb"\s*([0-9A-Fa-f]{1,7})(?:;[^\n]*)?\r?\n", rest):
        size = int(found[1], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(rest[found.end() : found.end() + size])
        rest = rest[found.end() + size :]
    return None
