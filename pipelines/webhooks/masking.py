"""Bodies without what could be phone numbers, where those are hashed: in fields that the contract does not know.

What does not belong here: the fields that it knows (`events`), and how a number is hashed (`pipelines.privacy`).
"""

import re
from typing import Any

from pipelines.privacy import Privacy

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_ASCII_ESCAPE = re.compile(r"\\u00([2-7][0-9a-fA-F])")


def without_numbers(value: Any, privacy: Privacy, own: str = "") -> Any:
    """A decoded value in which every text and integer that could be a number is hashed; times stay.

    Args:
        value: out of JSON.
        privacy: hashes, or keeps all.
        own: the account's own number, which stays.
    """
    if isinstance(value, dict):
        return {
            privacy.numbers(name, own): without_numbers(inner, privacy, own) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [without_numbers(inner, privacy, own) for inner in value]
    if isinstance(value, str):
        return value if _TIME.fullmatch(value) else privacy.numbers(value, own)
    if isinstance(value, bool) or not _is_whole(value):
        return value
    text = str(int(value))
    kept = privacy.numbers(text, own)
    return value if kept == text else kept


def text_without_numbers(body: bytes, privacy: Privacy) -> bytes:
    """The same of a body of no known form, as UTF-8; bytes that are none are written as escapes."""
    text = _ASCII_ESCAPE.sub(lambda found: chr(int(found[1], 16)), body.decode(errors="backslashreplace"))
    return privacy.numbers(text).encode()


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
