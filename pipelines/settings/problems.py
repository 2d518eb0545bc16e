"""Messages about wrong settings in our own words, without the library's texts.

What does not belong here: the rules themselves (`declared`, `checks`).
"""

from typing import Any

from pipelines.settings.declared import PREFIX, Settings

_SWITCH = "must be on or off (or yes, no, true, false)"
_DATE = "must be a date, such as 2020-01-31"
_PLAIN = {
    "bool_parsing": _SWITCH,
    "bool_type": _SWITCH,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "date_parsing": _DATE,
}
"""Texts by pydantic's type of error."""

_NUMBER = ("int_", "float_", "finite_number", "greater_than", "less_than")
"""Prefixes of pydantic's error types for invalid or out-of-range numbers."""

_OWN = ("value_error", "plain_http")
"""Types of our own checks."""

_UNITS = {"seconds": " of seconds", "hours": " of hours", "days": " of days", "mb": " of megabytes"}


def problem(item: Any) -> str:
    """Return a message about a wrong setting, with its name.

    Args:
        item: one of pydantic's errors.
    """
    kind, text = item["type"], str(item["msg"])
    if kind == "plain_http":  # not of a single field
        return text
    name = str(item["loc"][0])
    if kind in _OWN:
        reason = text.removeprefix("Value error, ")
    elif kind == "literal_error":
        reason = text.replace("Input should be", "must be")
    elif kind.startswith(_NUMBER):
        reason = _number(name)
    else:
        reason = _PLAIN.get(kind, "cannot be read")
    return f"{PREFIX}{name.upper()} {_lower(reason)}"


def _number(name: str) -> str:
    """Return the allowed numbers of a setting."""
    field = Settings.model_fields[name]
    known = {
        kind: getattr(one, kind)
        for one in field.metadata
        for kind in ("ge", "gt", "le")
        if hasattr(one, kind)
    }
    bounds = (
        f"from {known['ge']} to {known['le']}"
        if "ge" in known
        else f"above {known['gt']}, at most {known['le']}"
    )
    if name.endswith("_share"):
        return f"must be a share {bounds}, such as 0.05"
    whole = "whole number" if field.annotation is int else "number"
    unit = _UNITS.get(name.rpartition("_")[2], "")
    return f"must be a {whole}{unit} {bounds}{', without a unit' if unit else ''}"


def _lower(text: str) -> str:
    return f"{text[0].lower()}{text[1:]}"
