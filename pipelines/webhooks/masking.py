"""Hashes possible phone numbers in bodies, in fields that the contract does not know.

What does not belong here: known fields (`events`), and how a number is hashed (`pipelines.privacy`).
"""

import re
from typing import Any

from pipelines.privacy import Privacy

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_ASCII_ESCAPE = re.compile(r"\\u00([2-7][0-9a-fA-F])")


def without_numbers(value: Any, privacy: Privacy, own: str = "") -> Any:
    """Return a decoded value with every text and integer hashed that could be a phone number; times stay.

    Args:
        value: from JSON.
        privacy: hashes, or keeps everything.
        own: the account's own number, which is kept.
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
    """Return a body of unknown form with such numbers hashed, as UTF-8; invalid bytes are escaped."""
    text = _ASCII_ESCAPE.sub(lambda found: chr(int(found[1], 16)), body.decode(errors="backslashreplace"))
    return privacy.numbers(text).encode()


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
