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
    """Return a number with its noun: `1 row`, `2 rows`, `1,000 replies`.

    Args:
        number: the number.
        one: the singular noun.
        many: the plural noun, if it is not the singular with an s.
    """
    return f"{number:,} {form(number, one, many or f'{one}s')}"


def form(number: int, one: str, many: str) -> str:
    """Return the form of a word for a number that is not shown with it: `is` or `are`, `it` or `they`.

    Args:
        number: the number.
        one: the form for one.
        many: the form for other numbers, also 0.
    """
    return one if number == 1 else many


def sentence(text: str) -> str:
    """A text with a capital letter, for the beginning of a sentence; it must not be empty."""
    return f"{text[0].upper()}{text[1:]}"


def file_size(size: int) -> str:
    """Bytes for people, as 1.5 GiB or 12 MiB."""
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.0f} MiB"


def money(amount: Decimal) -> str:
    """Return an exact amount for people: with two decimals, or four if needed."""
    return f"{amount:,.4f}".removesuffix("00")
