"""Replies with a row that is not JSON: NaN for a number, half an emoji, bytes that are not UTF-8, very deep nesting.

One such row must not make its page, or the complete account, unreadable. The row is put in quotes, so that the rest
can be read, and is quarantined later as a row that is not an object. A row that only has halves of characters stays
an object: the halves are written as escapes, and a field of ours marks the row for quarantine. What does not belong
here: replies that are cut off or missing; those stay unreadable.
"""

import re
from collections.abc import Iterator

import msgspec

_BOM = b"\xef\xbb\xbf"
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
"""An escape sequence; the group is half of a character."""

FAULT = "trackly_sync_fault"
"""The field of ours."""

HALF = "text with half of a character (a lone surrogate)"
"""Its value."""

_OF_ROWS = 2
"""Depth of the rows in a reply, counted in brackets."""

_any = msgspec.json.Decoder(list[msgspec.Raw])
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Errors raised for text that is not JSON."""


def without_mark(body: bytes) -> bytes:
    """Return a body without a byte order mark, which some servers send first."""
    return body.removeprefix(_BOM)


def quoted(body: bytes, envelope: str) -> bytes:
    """Return a body with each row that is not JSON as a JSON string of its text; the same body if there is none."""
    parts, done = [], 0
    for start, stop in _rows(body, envelope):
        row = body[start:stop]
        if not _is_json(row):
            text = _written_out(row) or msgspec.json.encode(row.decode(errors="replace").strip())
            parts += [body[done:start], text]
            done = stop
    return b"".join([*parts, body[done:]])


def _written_out(row: bytes) -> bytes | None:
    """Return an object with each half of a character as the text of its escape, and our field.

    None for other faults.
    """
    found = _ESCAPE.sub(lambda match: b"\\\\" + match[1] if match[1] else match[0], row).strip()
    if not found.startswith(b"{") or not _is_json(found):
        return None
    inner = found[1:-1].strip()
    return b'{%b%b"%b":"%b"}' % (inner, b"," if inner else b"", FAULT.encode(), HALF.encode())


def _rows(body: bytes, envelope: str) -> Iterator[tuple[int, int]]:
    """Yield the beginning and end of each row, found by brackets and quotes; nothing if these do not close."""
    found, start, depth, named = [], -1, 0, b""
    wanted = b'"%b"' % envelope.encode()
    for token in _TOKEN.finditer(body):
        text = token[0]
        if text in (b"[", b"{"):
            depth += 1
            start = token.end() if (depth, text, named) == (_OF_ROWS, b"[", wanted) else start
            continue
        if depth == _OF_ROWS and start >= 0 and text in (b",", b"]", b"}"):
            found.append((start, token.start()))
            start = token.end() if text == b"," else -1
        depth -= text in (b"]", b"}")
        if (depth, text[:1]) == (1, b'"'):
            named = text
    return iter(found if depth == 0 else [])


def _is_json(row: bytes) -> bool:
    try:
        row.decode()
        _any.decode(b"[%b]" % row)
    except NOT_JSON:
        return False
    return True
