"""Numbers, days, months and ports in options and settings: one form each, with the digits 0 to 9.

Python and its libraries accept more forms: 1_000, +5, 1e3, digits of other scripts, a month of one digit. What does
not belong here: the values in history files, which have formats of their own (`pipelines.push.values`).
"""

import re
from datetime import UTC, datetime, timedelta

_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_DATABASE = re.compile(r"[^:/]+://([^:/]*(:[^@]*)?@)?(\[[^\]]*\]|[^/:?]*)(:(?P<port>[^/?]*))?", re.DOTALL)
"""The beginning of a database's URL, as SQLAlchemy parses it."""
_PORT = re.compile(r"[0-9]{1,5}")
_HIGHEST_PORT = 65_535


def is_number(text: str, *, whole: bool) -> bool:
    """Whether a text is a number such as 1000, or 0.5 if it need not be whole."""
    return (_WHOLE if whole else _NUMBER).fullmatch(text) is not None


def is_day(text: str) -> bool:
    """Whether a text has the form of a day, as 2026-10-31."""
    return _DAY.fullmatch(text) is not None


def period_of_month(text: str) -> tuple[datetime, datetime] | None:
    """Return the first moment of a month such as 2026-10 and of the next month, UTC; None if it is not a month."""
    if not _MONTH.fullmatch(text):
        return None
    try:
        first = datetime(int(text[:4]), int(text[5:]), 1, tzinfo=UTC)
        return first, (first + timedelta(days=31)).replace(day=1)
    except (ValueError, OverflowError):  # no such month, or no next one
        return None


def is_port(text: str) -> bool:
    """Whether a text is the number of a port."""
    return _PORT.fullmatch(text) is not None and 0 < int(text) <= _HIGHEST_PORT


def has_odd_port(url: str) -> bool:
    """Whether the URL of a database has an invalid port."""
    found = _DATABASE.match(url)
    port = found and found["port"]
    return port is not None and not is_port(port)
