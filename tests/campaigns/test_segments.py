"""Segments of messages: published sizes, and a packing by plain Python that goes character by character."""

import random

import duckdb
import pytest

from pipelines.campaigns.segments import macros

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
DOUBLE = frozenset("\f^{}\\[~]|€")


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connected = duckdb.connect()
    connected.execute("CREATE SCHEMA marts")
    connected.execute(macros())
    return connected


def segments(text: str) -> tuple[str, int, int]:
    """Encoding, units and segments, one character after the other."""
    is_gsm = all(character in BASIC | DOUBLE for character in text)
    sizes = [1 + (character in DOUBLE if is_gsm else ord(character) > 0xFFFF) for character in text]
    single, part = (160, 153) if is_gsm else (70, 67)
    if sum(sizes) <= single:
        return "GSM-7" if is_gsm else "UCS-2", sum(sizes), 1
    count, room = 1, part
    for size in sizes:
        if size > room:
            count, room = count + 1, part
        room -= size
    return "GSM-7" if is_gsm else "UCS-2", sum(sizes), count


KNOWN = {
    "a" * 160: ("GSM-7", 160, 1),
    "a" * 161: ("GSM-7", 161, 2),
    "a" * 306: ("GSM-7", 306, 2),
    "a" * 307: ("GSM-7", 307, 3),
    "€" * 80: ("GSM-7", 160, 1),
    "€" * 81: ("GSM-7", 162, 2),
    "€" * 152: ("GSM-7", 304, 2),  # 76 fit into a part of 153
    "€" * 153: ("GSM-7", 306, 3),  # of which nothing is left over, but for the unit that stays empty in each
    "[{}]~^\\|\f": ("GSM-7", 18, 1),
    "`": ("UCS-2", 1, 1),
    "ç": ("UCS-2", 1, 1),  # only the capital is in the alphabet
    "\u2019" * 70: ("UCS-2", 70, 1),
    "\u2019" * 71: ("UCS-2", 71, 2),
    "😀" * 35: ("UCS-2", 70, 1),
    "😀" * 36: ("UCS-2", 72, 2),
    "😀" * 66: ("UCS-2", 132, 2),
    "😀" * 67: ("UCS-2", 134, 3),
    "": ("GSM-7", 0, 1),
    "line\r\nline": ("GSM-7", 10, 1),
}


def test_known_sizes_and_a_packing_by_hand(connection: duckdb.DuckDBPyConnection) -> None:
    """Published sizes, and texts of every alphabet at any length; by SQL and by Python."""
    chance = random.Random(3)
    alphabets = ["abc", "ab€", "[]€a", "a\u2019", "é😀", "😀😀a", "ÄÖ\n|"]
    texts = [*KNOWN]
    texts += ["".join(chance.choices(chance.choice(alphabets), k=chance.randrange(500))) for _ in range(300)]
    query = (
        "SELECT marts.sms_encoding(t), marts.sms_units(t), marts.sms_segments(t) FROM (SELECT unnest(?) AS t)"
    )
    found = connection.execute(query, [texts]).fetchall()
    assert dict(zip(KNOWN, found, strict=False)) == KNOWN
    assert found == [segments(text) for text in texts]


@pytest.mark.parametrize(
    ("message", "characters"),
    [
        ("Hi {{link1}}", 3 + 23 + 34),
        ("{{ link12 }}{{link2}}", 46 + 34),
        ("Hi {{first_name}}!", 18 + 34),  # as it is written: how long a name is, nobody knows
        ("{link1} {{", 10 + 4 + 34),  # no placeholders: four characters of the extension
        ("", 34),
    ],
)
def test_placeholders_have_their_documented_lengths(
    connection: duckdb.DuckDBPyConnection, message: str, characters: int
) -> None:
    """A link is 23 characters, the compliance text 34; braces of placeholders are never sent."""
    query = "SELECT marts.sms_units(marts.sms_as_sent(?))"
    assert connection.execute(query, [message]).fetchone() == (characters,)


def test_the_estimate_is_the_vendors_rule(connection: duckdb.DuckDBPyConnection) -> None:
    """One up to 160 characters, else a segment for each 153, whatever the characters are."""
    lengths = [0, 1, 160, 161, 306, 307, 459, 460]
    query = "SELECT marts.sms_estimate(repeat('\u2019', n)) FROM (SELECT unnest(?) AS n)"
    found = [value for (value,) in connection.execute(query, [lengths]).fetchall()]
    assert found == [1, 1, 1, 2, 2, 3, 3, 4]
    assert connection.execute("SELECT marts.sms_segments(NULL), marts.sms_as_sent(NULL)").fetchone() == (
        None,
        None,
    )
