"""More files as people have them, all in one folder and one push: what of each arrives, and why the rest does not.

A file that cannot be read at all stops the push: such files are in `parse/test_damaged_files.py` and
`parse/test_forms.py`.
"""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from oracle import query

from pipelines.push.run import push
from pipelines.sandbox import API_KEY, Account, running
from pipelines.settings import Settings, load_settings

Row = dict[str, Any]
PHONE = "+12000000000"
OFFER = "269e0d37f2a74de452e6b438"
HEADER = "id,to_number,timestamp,list_id,message"
TEN = "2024-05-01T10:00:00Z"
DAY = "2024-05-01T00:00:00Z"


@dataclass
class Sends:
    """One file of sends.

    Attributes:
        name: what its name ends in, after `sends-`.
        content: its bytes.
        arrived: by id, the fields of the records that arrive which are not `came`'s.
        held: how the reasons of its other rows begin, in the order of the rows.
    """

    name: str
    content: bytes
    arrived: Mapping[str, Row]
    held: list[str] = field(default_factory=list)


def came(**more: Any) -> Row:
    """A send that arrived, with what is the same in most files."""
    return {"to_number": PHONE, "timestamp": DAY, "list_id": 100, **more}


def row(
    key: str, message: str = "", *, phone: str = PHONE, at: str = "2024-05-01", list_id: str = "100"
) -> tuple[str, ...]:
    """The cells of a row, as HEADER names them."""
    return key, phone, at, list_id, message


def csv(
    *rows: Sequence[str], header: str = HEADER, by: str = ",", encoding: str = "utf-8", end: str = "\n"
) -> bytes:
    """A delimited file; its cells are quoted by whoever gives them."""
    return "".join(by.join(cells) + end for cells in (header.split(","), *rows)).encode(encoding)


def parquet(**columns: Any) -> bytes:
    """A Parquet file."""
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


NOON = datetime(2024, 5, 1, 10)  # noqa: DTZ001 - Parquet's timestamps without a zone
FLOAT = "is a float, which may have lost digits"
LOCAL = "timestamp: a date as a spreadsheet or a country writes it"

FILES = [
    Sends(
        "german.csv",
        csv(
            row("g1", '"Gr\xfc\xdfe; 5 \u20ac"', phone=f"'{PHONE}", at="2024-05-01 10:00:00"),
            row("g2", at="01.05.2024 10:00"),
            by=";",
            encoding="cp1252",
            end="\r\n",
        ),
        {"g1": came(timestamp=TEN, message="Gr\xfc\xdfe; 5 \u20ac")},
        [LOCAL],
    ),
    Sends(
        "wide.tsv",
        csv(row("w1", '"Zo\xeb\r\n\U0001f389"'), by="\t", encoding="utf-16"),
        {"w1": came(message="Zo\xeb\r\n\U0001f389")},
    ),
    Sends(
        "index.csv",
        b"\xef\xbb\xbfsep=;\r\n"
        + csv(("0", *row("i1", "x"), ""), ("",) * 7, header=f",{HEADER},", by=";", end="\r\n"),
        {"i1": came(message="x")},
    ),
    Sends(
        "us.csv",
        csv(
            row("u1", at="05/01/2024 10:00 AM"),
            row("u2", at="2024-05-01 10:00 AM"),
            row("u3", at="45413.5"),
            row("u4", at="20240501"),
            row("u5", at="2024-05-01T10:00:00.123456789-0700"),
            row("u6", at="\u0662024-05-01"),
        ),
        {"u4": came(), "u5": came(timestamp="2024-05-01T17:00:00.123456Z")},
        [LOCAL, "timestamp: a clock of twelve hours", "timestamp: a number of seconds", "timestamp: must be"],
    ),
    Sends(
        "quotes.csv",
        csv(row("q1", '6" sub'), row("q2", '"a ""b"""'), row("q3", '"never'), row("q4", "z")),
        {"q1": came(message='6" sub'), "q2": came(message='a "b"')},
        ["lines 4 to 5: a quote that begins in line 4 never closes"] * 2,
    ),
    Sends(
        "backslash.csv",
        csv(row("b1", '"say \\"hi\\", you"'), row("b2", "a\\nb")),
        {"b2": came(message="a\\nb")},
        ["a quote is escaped by a backslash"],
    ),
    Sends(
        "single.csv",
        csv(
            [f"'{cell}'" for cell in row("s1", "it''s, ok")],
            header=",".join(f"'{name}'" for name in HEADER.split(",")),
        ),
        {"s1": came(message="it's, ok")},
    ),
    Sends(
        "nothing.csv",
        csv(
            row("NaN"),
            row("-"),
            row("n1", phone="null"),
            row("n2", list_id="-"),
            row("n3", "N/A"),
            row("n4", "-"),
        ),
        {"n3": came(), "n4": came(message="-")},
        [
            "id: must not be null",
            "id: has no letter and no digit",
            "to_number: must not be null",
            "list_id: must be a whole number",
        ],
    ),
    Sends(
        "keys.csv",
        csv(
            row("1.23457E+14"),
            row("1,23457E+14"),
            row("1001.0"),
            row("1001"),
            row(" k1\xa0"),
            row("k1"),
            row("k\u200b2"),
            row('"=""00123"""'),
            by=";",
        ),
        {"1001": came(), "k1": came(), "00123": came()},
        [
            "id: a spreadsheet has rounded it",
            "id: a spreadsheet has rounded it",
            "id: a number with .0",
            "the input repeats it",
            "id: has invisible characters",
        ],
    ),
    Sends(
        "phones.csv",
        csv(
            row("p1", phone="+1 200 000 0000"),
            row("p2", phone="0012000000000"),
            row("p3", phone=f"tel:{PHONE}"),
            row("p4", phone=PHONE[1:]),
            row("p5", phone=f"\xa0{PHONE}\u202f"),
            row("p6", phone="+\u0661\u0662000000000"),
            row("p7", phone=f"\u202a{PHONE}"),
        ),
        {"p5": came()},
        [*["to_number: must be E.164"] * 5, "to_number: has invisible characters"],
    ),
    Sends(
        "flags.csv",
        csv(
            row("f1", "Yes"),
            row("f2", "0"),
            row("f3", "ja"),
            row("f4", "1.0"),
            header=HEADER.replace("message", "Delivered"),
        ),
        {"f1": came(delivered=True), "f2": came(delivered=False)},
        ["delivered: must be true or false"] * 2,
    ),
    Sends(
        "order.csv",
        csv((*reversed(row("o1", "hi")), "z"), header="MESSAGE,List_ID,TimeStamp,TO_NUMBER,ID,notes"),
        {"o1": came(message="hi")},
    ),
    Sends("cr.csv", csv(row("c1", "a"), row("c2"), end="\r"), {"c1": came(message="a"), "c2": came()}),
    Sends("joined.csv", csv(row("j1")) + csv(row("j2")), {"j1": came(), "j2": came()}),
    Sends(
        "byte.csv",
        csv(row("y1\xe9"), encoding="cp1252") + ",".join(row("y2", "Zo\xeb")).encode(),
        {"y2": came(message="Zo\xeb")},
        ["holds bytes that are not text"],
    ),
    Sends("nul.csv", csv(row("z\x001"), row("z2")), {"z2": came()}, ["id or list_number: holds a NUL"]),
    Sends(
        "members.csv.gz",
        gzip.compress(csv(row("m1")), mtime=0) + gzip.compress(",".join(row("m2")).encode(), mtime=0),
        {"m1": came(), "m2": came()},
    ),
    Sends(
        "footer.csv",
        csv(row("t1"), [""] * 5, ["(1 row)"]),
        {"t1": came()},
        ["not as many columns as the header"],
    ),
    Sends(
        "array.json",
        json.dumps(
            [
                {"id": 9007199254740993, "to_number": PHONE, "timestamp": DAY, "list_id": 100.0},
                {"id": 1002.0, "to_number": PHONE, "timestamp": DAY, "list_id": 100},
                {"id": "a3", "to_number": PHONE, "timestamp": DAY, "list_id": 100, "message": {"t": 1}},
                {"ID": "a4", " To_Number": PHONE, "timestamp": DAY, "list_id": "100", "delivered": 1},
            ],
            indent=1,
        ).encode(),
        {"9007199254740993": came(), "a4": came(delivered=True)},
        [f"id: {FLOAT}", "message: is nested"],
    ),
    Sends(
        "broken.ndjson",
        f'{{"id":"x1","to_number":"{PHONE}","timestamp":"2024-05-01","list_id":100}},\n'
        f'{{"id":"x2","ID":"x3","to_number":"{PHONE}","timestamp":"2024-05-01","list_id":100}}\nnull\n'.encode(),
        {},
        ["the line is not a JSON object", "has two keys", "the line is not a JSON object"],
    ),
    Sends(
        "typed.parquet",
        parquet(
            id=pa.array(["d1", "d2", "d3"]).dictionary_encode(),
            to_number=pa.array([PHONE.encode()] * 3),
            timestamp=pa.array([NOON] * 3, pa.timestamp("ns")),
            list_id=pa.array([100.0, 100.0, float("nan")]),
            length=pa.array([160.0, None, 1.0]),
            message=pa.array(["a", None, "c"], pa.large_string()),
        ),
        {"d1": came(timestamp=TEN, length=160, message="a"), "d2": came(timestamp=TEN)},
        ["list_id: must be a whole number"],
    ),
    Sends(
        "numbers.parquet",
        parquet(
            id=pa.array([Decimal(2001), Decimal(2002)], pa.decimal128(20, 0)),
            to_number=[PHONE] * 2,
            timestamp=[date(2024, 5, 1)] * 2,
            list_id=pa.array([100, 100], pa.int8()),
            message=pa.array([None, ["x"]]),
        ),
        {"2001": came()},
        ["message: is nested"],
    ),
    Sends(
        "nan.parquet",
        parquet(
            id=["e1", "e2", "e3"],
            to_number=[PHONE] * 3,
            timestamp=[DAY] * 3,
            list_id=[100] * 3,
            length=pa.array([160.0, float("nan"), 12.0]),
            message=pa.array([float("nan"), 1.0, 2.0]),
        ),
        {"e1": came(length=160)},
        [f"message: {FLOAT}"] * 2,
    ),
    Sends(
        "floats.parquet",
        parquet(id=[3001.0], to_number=[PHONE], timestamp=[DAY], list_id=[100]),
        {},
        [f"id: {FLOAT}"],
    ),
]

REVENUE: list[tuple[str, float | None]] = [
    ("12.50", 12.5),
    ("+7", 7),
    ("00012.3456", 12.3456),
    *[(amount, None) for amount in ("12,50", "1.234,50", "1\u202f234.50", "$5", "-5", "1e3", "NaN", "5.")],
    *[(amount, None) for amount in ("12.34567", "\u0661")],
    *[(amount, None) for amount in ("1.500", "+2.000", "12.345")],  # thousands, by the decimal commas above
]
"""Amounts as they stand in a file, and what arrives of them."""


@pytest.fixture
def people() -> Account:
    """One person on a list, and an offer."""
    account = Account()
    account.lists = [
        {"id": 100, "phone_number": "+15559000100", "brand_name": "B", "list_name": "L", "list_type": "lime",
         "status": "active", "contact_count": 1, "created_at": TEN}
    ]  # fmt: skip
    account.offers = [
        {"id": OFFER, "name": "Offer", "status": "active", "created_at": TEN, "updated_at": TEN}
    ]
    account.add_contact(
        {"phone_number": PHONE, "list_number": "+15559000100", "list_id": 100, "active": True,
         "signup_date": "2024-01-01T00:00:00", "custom_fields": {}, "send_count": 0, "click_count": 0,
         "revenue_total": 0.0, "conversion_count": 0, "last_sent_at": None, "last_clicked_at": None}
    )  # fmt: skip
    return account


def test_of_many_files_each_row_arrives_or_has_its_reason(people: Account, tmp_path: Path) -> None:
    """What arrives is what the files say, field by field, and every other row is held back for the right reason."""
    history = tmp_path / "data" / "history"
    history.mkdir(parents=True)
    for file in FILES:
        (history / f"sends-{file.name}").write_bytes(file.content)
    rows = [f"1001;{OFFER};{amount};2024-05-02;r{number}" for number, (amount, _) in enumerate(REVENUE)]
    (history / "revenue.csv").write_text(
        "\n".join(["message_id;offer_id;revenue;timestamp;record_id", *rows])
    )
    (history / "revenue-three.csv").write_text(
        f"message_id,offer_id,revenue,timestamp,record_id\n1001,{OFFER},24.900,2024-05-03,three\n"
    )
    with running(people) as server:
        settings = load_settings(
            api_key=API_KEY, base_url=server.url, data_dir=tmp_path / "data", settle_seconds=0.0
        )
        report = push(settings, ["sends", "clicks", "revenue"])
    sends = {
        key: {k: v for k, v in row.items() if k not in ("id", "imported")}
        for key, row in people.sends.items()
    }
    assert sends == {key: row for file in FILES for key, row in file.arrived.items()}
    for file in FILES:
        found = _reasons(settings, f"sends-{file.name}")
        starts = [why[: len(start)] for why, start in zip(found, file.held, strict=False)]
        assert (starts, len(found)) == (file.held, len(file.held)), (file.name, found)
    amounts = sorted(row["revenue"] for row in people.revenue)
    assert amounts == sorted([24.9, *(amount for _, amount in REVENUE if amount is not None)])
    doubt = "amounts of revenue-three.csv have three digits after the point: are they thousands?"
    assert report.intakes["revenue"].advice == (doubt,)
    assert report.outcomes["revenue"].quarantined == sum(amount is None for _, amount in REVENUE)


def _reasons(settings: Settings, name: str) -> list[str]:
    """Why rows of a file did not arrive, in their order."""
    found = query(
        settings.warehouse,
        "SELECT reason FROM imports.records WHERE in_input AND outcome <> 'accepted' AND file LIKE ? ORDER BY row",
        f"%/{name}",
    )
    return [reason for (reason,) in found]
