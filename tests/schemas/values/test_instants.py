"""schemas.values.instants: what is a time, and what only looks like one."""

import re
from datetime import UTC, datetime

import pytest

from schemas.values.instants import BASIC, EXTENDED, parse_instant

MAY_1 = datetime(2024, 5, 1, tzinfo=UTC)
TEN = MAY_1.replace(hour=10)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-05-01", MAY_1),
        ("20240501", MAY_1),
        ("2024-05-01T10:00", TEN),
        ("2024-05-01 10:00:00", TEN),
        ("2024-05-01T10:00:00Z", TEN),
        ("2024-05-01T10:00:00z", TEN),
        ("2024-05-01T10:00Z", TEN),
        ("2024-05-01 10:00:00.000 UTC", TEN),
        ("2024-05-01 10:00:00 GMT", TEN),
        ("2024-05-01 10:00:00UTC", TEN),
        ("2024-05-01 12:00:00+02", TEN),
        ("2024-05-01 12:00:00 +0200", TEN),
        ("2024-05-01T03:00:00.000-07:00", TEN),
        ("20240501T100000Z", TEN),
        ("20240501T1000Z", TEN),
        ("20240501T100000+0000", TEN),
        ("2024-05-01T10:00:00,5Z", TEN.replace(microsecond=500_000)),
        ("2024-05-01T10:00:00.123456789Z", TEN.replace(microsecond=123_456)),
        ("0001-01-01T00:00:00", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_iso_8601_in_its_extended_and_basic_forms_is_a_time(text: str, instant: datetime) -> None:
    """A text of the grammar is that instant, in UTC."""
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1714557600",
        "1714557600000",
        "1712010112345",
        "45413.41667",
        "5/1/24 10:00",
        "2024/5/1",
        "2024-5-1",
        "24-05-01",
        "2024-13-01",
        "2024-02-30",
        "2024-05-01T24:00",
        "2024-05-01T10:00:60Z",
        "2024-05-01t10:00:00Z",
        "2024-05-01  10:00",
        "2024-05-01T10",
        "2024-05-01Z",
        "2024-W18-3",
        "2024-122",
        "epoch",
        "infinity",
        "0000-00-00 00:00:00",
        "2024-05-01 10:00:00 PST",
        "2024-05-01T10:00:00+02:00[Europe/Paris]",
        "2024-05-01T10:00:00+02:60",
        "2024-05-01T10:00:00+24:00",
        "0001-01-01T00:00:00+01:00",
        "\u0662\u0660\u0662\u0664-\u0660\u0665-\u0660\u0661",
        "2024-05-01T10:00:00Z\n",
    ],
)
def test_whatever_else_looks_like_a_time_is_none(text: str) -> None:
    """Nothing is guessed: neither numbers, nor names of zones, nor another order of day and month."""
    assert parse_instant(text) is None


def test_both_forms_name_their_parts_in_the_same_order() -> None:
    """Both expressions have the same eight groups, so that one statement can take either apart."""
    parts = ("2024", "05", "01", "10", "11", "12", "5", "+0200")
    extended = re.fullmatch(EXTENDED, "2024-05-01T10:11:12.5 +0200")
    basic = re.fullmatch(BASIC, "20240501T101112.5+0200")
    assert extended is not None
    assert basic is not None
    assert extended.groups() == basic.groups() == parts
