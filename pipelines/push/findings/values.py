"""The values for which a row is left out, taken from its reason and its record; masked unless a person asks for them.

What does not belong here: why a row is left out (`checks.validate`), and printing.
"""

import json
import re
from collections.abc import Collection, Iterable

_NAMED = re.compile(r"([a-z_]+(?:(?:, | or )[a-z_]+)*):")
_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")
_LONGEST = 60
_PERSONAL = re.compile(r"\s|@|\+\d{7}|\(\d|(?<![\w-])\d{3}[.-]\d{3}[.-]\d{4}(?![\w-])")
_BARE_PHONE = re.compile(r"(?:00\d{8,15}|1?[2-9]\d{2}[2-9]\d{6})")
_HASHED = re.compile(r"(?:hmac|invalid):[0-9a-f]{32}")
"""The form that `pipelines.privacy` gives a number: it says nothing about a person."""

_OF_RECORD = "record:"
"""Prefix of the identity of revenue with a `record_id` (`values.identity`)."""

LINE = "line"
"""The name under which the text of a whole line is shown."""

OF_CODES = {
    "invalid_phone": ("to_number", "phone_number"),
    "missing_to_number": ("to_number",),
    "missing_phone_number": ("phone_number",),
    "contact_not_found": ("message_id",),
    "list_not_found": ("list_number", "list_id"),
    "missing_message_id": ("message_id",),
    "message_not_found": ("message_id",),
    "missing_offer_id": ("offer_id",),
    "offer_not_found": ("offer_id",),
    "missing_timestamp": ("timestamp",),
    "invalid_timestamp": ("timestamp",),
    "missing_revenue": ("revenue",),
}
"""The fields that the API's error codes are about."""


def offending(
    reason: str, raw: str | None, columns: Collection[str], code: str = "", *, masked: bool
) -> dict[str, str]:
    """Return the values that a reason is about, by field.

    Args:
        reason: why the row is left out: "field: …"; several reasons are separated by semicolons.
        raw: the record of the row as JSON: an object, or the text of its line.
        columns: the fields of the dataset.
        code: the API's code, which may be about fields without naming them.
        masked: whether only the form of the values is shown.
    """
    if not raw:
        return {}
    record = json.loads(raw)
    if not isinstance(record, dict):
        return {LINE: shown(str(record), masked=masked)}
    about = _among(_fields_of(reason), columns) or _among(OF_CODES.get(code, ()), columns)
    values = {name: record[name] for name in about if record.get(name) is not None}
    return {name: shown(_as_text(value), masked=masked) for name, value in values.items()}


def shown_key(key: str | None, *, masked: bool) -> str | None:
    """Return the identity of a row, masked like a value if it may be a person's number, address or name.

    Args:
        key: the identity, if there is one.
        masked: whether only the form of such an identity is shown.
    """
    if key is None:
        return None
    name = key.removeprefix(_OF_RECORD)
    if not masked or not (_PERSONAL.search(name) or _BARE_PHONE.fullmatch(name)):
        return key
    return key.removesuffix(name) + shown(name, masked=True)


def _among(names: Iterable[str], columns: Collection[str]) -> list[str]:
    return [name for name in names if name in columns]


def _fields_of(reason: str) -> list[str]:
    """Return the fields that a reason names; names that are no fields may be among them."""
    parts = (_NAMED.match(part) for part in reason.split("; "))
    return [name for part in parts if part for name in re.split(", | or ", part[1])]


def _as_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # most files write it without .0; how this one did is not kept
    return value if isinstance(value, str) else json.dumps(value)


def shown(value: str, *, masked: bool) -> str:
    """Return a value, cut if it is long; masked, it has x for letters and 9 for digits, which shows its form."""
    text = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    if not masked or _HASHED.fullmatch(text):
        return text
    return _DIGIT.sub("9", _LETTER.sub("x", text))
