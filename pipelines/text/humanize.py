"""Figures as text: how long something took, how long ago it was, how many there are. Nothing is measured here."""

from datetime import UTC, datetime
from decimal import Decimal


def duration(seconds: float) -> str:
    """How long something took, in the two largest units."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60:02} min"


def age(instant: str | datetime) -> str:
    """How long ago something was, in its largest unit."""
    at = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    seconds = (datetime.now(UTC) - at).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def plural(number: int, one: str, many: str = "") -> str:
    """How many there are of something: `1 row`, `2 rows`, `1,000 replies`.

    Args:
        number: how many.
        one: the noun for one of them.
        many: the noun for several, where it is not that with an s.
    """
    return f"{number:,} {form(number, one, many or f'{one}s')}"


def form(number: int, one: str, many: str) -> str:
    """The form of a word that goes with a number which stands elsewhere: `is` or `are`, `it` or `they`.

    Args:
        number: how many.
        one: the form for one.
        many: the form for several, and for none.
    """
    return one if number == 1 else many


def file_size(size: int) -> str:
    """Bytes for people, as 1.5 GiB or 12 MiB."""
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.0f} MiB"


def money(amount: Decimal) -> str:
    """An amount for people, exactly: with two decimals, or four where they are needed."""
    return f"{amount:,.4f}".removesuffix("00")
