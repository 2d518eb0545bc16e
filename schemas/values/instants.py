"""The one grammar of times, for replies of the API and for history files alike.

A time is an ISO 8601 calendar date with a year of four digits, extended (`2024-05-01T10:00:00Z`) or basic
(`20240501T100000Z`). `T` or one space separates date and time. A date alone means midnight. Seconds and their
fraction are optional. The offset is `Z`, `z`, `UTC`, `GMT`, `±hh`, `±hhmm` or `±hh:mm`, with or without a space
before it. No offset means UTC: the vendor states this only on its revenue pages, and it is assumed for all.

A valid time may still be implausible: a pull keeps the account's value and warns, a push holds the row back. What
does not belong here: columns of times (the decoder, the stage).
"""

import re
from datetime import UTC, datetime, timedelta, timezone

_OFFSET = r"(?: ?([Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
_EXTENDED = r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
_BASIC = r"(\d{4})(\d{2})(\d{2})(?:[T ](\d{2})(\d{2})(?:(\d{2})(?:[.,](\d{1,9}))?)?"

EXTENDED = f"{_EXTENDED}{_OFFSET})?"
"""The extended form as a regular expression for Python and DuckDB, to be matched in full.

Groups: year, month, day, hour, minute, second, fraction, offset; those that are left out are empty. Matching says
nothing about ranges: month 13 matches.
"""

BASIC = f"{_BASIC}{_OFFSET})?"
"""The basic form, with the same groups."""

_FORMS = (re.compile(EXTENDED, re.ASCII), re.compile(BASIC, re.ASCII))
_MICROSECOND_DIGITS = 6
_FIRST_PLAUSIBLE = datetime(2000, 1, 1, tzinfo=UTC)


def parse_instant(text: str) -> datetime | None:
    """Return a text as an aware time in UTC, or None if it is not a time.

    Digits of a fraction beyond microseconds are dropped. Hour 24 and second 60 are not valid.

    Args:
        text: without white space around it.
    """
    found = _FORMS[0].fullmatch(text) or _FORMS[1].fullmatch(text)
    if found is None:
        return None
    *numbers, fraction, zone = found.groups(default="")
    micros = fraction[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
    try:
        year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
        instant = datetime(year, month, day, hour, minute, second, int(micros), tzinfo=_zone(zone))
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):  # a month 13, or a year beyond 1 to 9999 once it is UTC
        return None


def plausible_between(now: datetime) -> tuple[datetime, datetime]:
    """Return the range of plausible times: from 2000 up to, but not including, the end of tomorrow.

    Args:
        now: the current time.
    """
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _FIRST_PLAUSIBLE, today + timedelta(days=2)


def is_plausible(instant: datetime, now: datetime | None = None) -> bool:
    """Whether a time is between 2000 and the end of tomorrow."""
    first, end = plausible_between(now or datetime.now(UTC))
    return first <= (instant if instant.tzinfo else instant.replace(tzinfo=UTC)) < end


def _zone(text: str) -> timezone:
    """Return the time zone of an offset; ValueError if it is a day or more, or has 60 minutes or more."""
    if not text or text[0] not in "+-":
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].removeprefix(":") or 0)
    if minutes > 59:
        raise ValueError(text)
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
