"""Digests of what a row says are made once, while it is loaded, and stay what they were in every version."""

from hashlib import md5
from pathlib import Path

from pipelines.privacy import Privacy
from pipelines.push.files.find import Source
from pipelines.push.stage.database import building
from pipelines.push.values.content_digest import content, kept_content
from schemas.registry import PUSHED

SENDS = PUSHED["sends"]
HEADER = "id,to_number,timestamp,list_number,list_id,message\n"
LINES = (
    "a,+12000000000,2024-05-01T10:00:00Z,+15550000001,,Hi\nb,+12000000017,2024-05-01 10:00:01.5,,100,'=ü\n"
)
ROWS = [
    "id=a\x1flist_number=+15550000001\x1fmessage=Hi\x1ftimestamp=1714557600000000\x1fto_number={0}",
    "id=b\x1flist_id=100\x1fmessage==ü\x1ftimestamp=1714557601500000\x1fto_number={1}",
]
NUMBERS = ("+12000000000", "+12000000017")


def expected(privacy: Privacy, tag: int) -> list[int]:
    """By the declaration: 55 bits of MD5, and the tag of the setting for phone numbers."""
    kept = [privacy.phone(number) for number in NUMBERS]
    digests = [md5(row.format(*kept).encode(), usedforsecurity=False).digest()[8:] for row in ROWS]
    return [(int.from_bytes(digest, "little") >> 9 << 8) + tag for digest in digests]


def test_the_digest_of_a_row_is_that_of_every_version(tmp_path: Path) -> None:
    """It is of the values that leave, in the order of their names, whether a row was proven or read with care."""
    source = Source(tmp_path / "sends.csv", "sends", "csv")
    source.path.write_text(HEADER + LINES, encoding="utf-8")
    with building(tmp_path / "stage.duckdb", SENDS, [source], tmp_path / "none") as connection:
        kept = connection.execute("SELECT content FROM input ORDER BY seq").fetchall()
        made = connection.execute(f"SELECT {content(SENDS)} FROM input ORDER BY seq").fetchall()
    assert [digest for (digest,) in kept] == [digest for (digest,) in made] == expected(Privacy(), 0)


def test_a_digest_kept_under_another_setting_for_phones_is_made_again(tmp_path: Path) -> None:
    """One made of a number as it is could be tried until the number is found: it must not reach the ledger."""
    source = Source(tmp_path / "sends.csv", "sends", "csv")
    source.path.write_text(HEADER + LINES, encoding="utf-8")
    hashing = Privacy(b"a secret of some length")
    with building(tmp_path / "stage.duckdb", SENDS, [source], tmp_path / "none") as connection:
        hashing.define(connection)
        ((tag,),) = connection.execute("SELECT phone_tag()").fetchall()
        found = connection.execute(f"SELECT {kept_content(SENDS)} FROM ready ORDER BY seq").fetchall()
    assert [digest for (digest,) in found] == expected(hashing, tag)
    with building(
        tmp_path / "hashed.duckdb", SENDS, [source], tmp_path / "none", privacy=hashing
    ) as connection:
        kept = connection.execute("SELECT content FROM input ORDER BY seq").fetchall()
    assert [digest for (digest,) in kept] == expected(hashing, tag)
