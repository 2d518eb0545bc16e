"""The values that a row is left out for, by its reason and what was read of it; masked where nobody asked for them.

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
"""What `pipelines.privacy` makes of a number: it says nothing about a person."""

_OF_RECORD = "record:"
"""What the identity of revenue with a `record_id` begins with (`values.identity`)."""

LINE = "line"
"""What a value is called that is the text of a whole line."""

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
"""The fields that the API's codes are about."""


def offending(
    reason: str, raw: str | None, columns: Collection[str], code: str = "", *, masked: bool
) -> dict[str, str]:
    """The values that a reason is about, by field.

    Args:
        reason: why the row is left out: "field: …", several of them with semicolons between.
        raw: its record, as JSON: an object, or the text of its line.
        columns: the fields that there are.
        code: the API's code, which names no field but is about some.
        masked: whether only their form is shown.
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
    """What a row is known by; masked like a value where it may be a person's number, address or name.

    Args:
        key: it, if there is one.
        masked: whether only the form of such a key is shown.
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
    """The fields that a reason names, as far as these are fields."""
    parts = (_NAMED.match(part) for part in reason.split("; "))
    return [name for part in parts if part for name in re.split(", | or ", part[1])]


def _as_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # as most files write it: which they did is not kept
    return value if isinstance(value, str) else json.dumps(value)


def shown(value: str, *, masked: bool) -> str:
    """A value, cut where it is long; masked, letters are x and digits 9, so that its form is still to be seen."""
    text = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    if not masked or _HASHED.fullmatch(text):
        return text
    return _DIGIT.sub("9", _LETTER.sub("x", text))
