"""History files as people have them: what of each arrives in the account, field by field, and the exit code."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.app import app
from pipelines.push.ledger.status import outcomes
from pipelines.sandbox import API_KEY, Account, Server, running
from pipelines.settings import load_settings

Row = dict[str, Any]

CASES = Path(__file__).parent / "cases"
PHONES = ("+12000000000", "+12000000017", "+12000000035")
OFFER = "269e0d37f2a74de452e6b438"
MAY = "2024-05-01T00:00:00Z"
TEN, ELEVEN = "2024-05-01T10:00:00Z", "2024-05-01T11:00:00Z"


@dataclass
class Case:
    """What must become of a folder.

    Attributes:
        sends: the records that arrive: id to values by name, `to_number` as its number in PHONES.
        clicks: likewise, by message_id.
        revenue: the records that arrive, in order.
        held: rows that are quarantined, by dataset.
        parked: rows whose send did not arrive, by dataset.
        duplicate: rows that repeat another one, by dataset.
        code: the exit code.
        more: arguments of the push.
    """

    sends: dict[str, Row] = field(default_factory=dict)
    clicks: dict[str, Row] = field(default_factory=dict)
    revenue: list[Row] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    parked: dict[str, int] = field(default_factory=dict)
    duplicate: dict[str, int] = field(default_factory=dict)
    code: int = 0
    more: tuple[str, ...] = ()


def sent(phone: int, at: str = TEN, message: str | None = "Hi", send_type: str | None = None) -> Row:
    """A send that arrived on list 100."""
    row: Row = {"to_number": PHONES[phone], "timestamp": at, "list_id": 100}
    return row | {name: value for name, value in (("message", message), ("send_type", send_type)) if value}


def campaign(phone: int, message: str = "Hi") -> Row:
    """A send of a campaign at ten."""
    return sent(phone, TEN, message, "campaign")


def earned(message_id: str, amount: float, at: str, **more: Any) -> Row:
    """Revenue that arrived."""
    return {"message_id": message_id, "offer_id": OFFER, "revenue": amount, "timestamp": at, **more}


def clicked(phone: int, at: str) -> Row:
    """A click that arrived."""
    return {"offer_id": OFFER, "phone_number": PHONES[phone], "timestamp": at}


SECOND = "2024-05-02T00:00:00Z"
SALE: Row = {"payout": 3.5, "attribution_type": "sale"}
PARTS = {"p1": sent(0, TEN, None), "p2": sent(1, ELEVEN, None)}
SUFFIXES = {
    f"b{number}": sent(0, f"{year}-05-01T00:00:00Z", message)
    for number, year, message in [
        (1, 2024, "Hi"),
        (2, 2023, "Hi"),
        (3, 2022, "Hi"),
        (4, 2021, "Hi"),
        (5, 2020, None),
    ]
}

EXPECTED = {
    "01-us-two-digit-year": Case({"a4": sent(0)}, held={"sends": 4, "clicks": 1, "revenue": 2}, code=3),
    "02-zone-abbreviations": Case(
        {
            f"z{n}": sent(phone, "2024-07-01T10:00:00Z", zone)
            for n, phone, zone in [(13, 1, "UTC"), (14, 2, "GMT")]
        },
        held={"sends": 13},
        code=3,
    ),
    "03-other-suffixes-ignored": Case(code=2),
    "03-other-suffixes-ignored and --ignore-unread": Case(
        SUFFIXES, revenue=[{"message_id": "b1", "offer_id": OFFER, "revenue": 5}], more=("--ignore-unread",)
    ),
    "04-ndjson-key-case": Case(
        {"c1": sent(0, MAY)},
        revenue=[
            earned("c1", 24.9, "2024-05-02T10:00:00Z", **SALE),
            earned("c1", 24.9, "2024-05-03T10:00:00Z", **SALE),
        ],
    ),
    "05-null-words-as-record_id": Case(
        {f"d{n + 1}": sent(n, MAY, None) for n in range(3)},
        revenue=[earned(f"d{n}", 10 * n, SECOND) for n in (1, 2, 3)],
    ),
    "06-excel-scientific-ids": Case(held={"sends": 3, "clicks": 2}, code=3),
    "07-backslash-escaped-quotes": Case(
        {"e2": campaign(1, "plain, text"), "e6": campaign(0, "y")}, held={"sends": 4}, code=3
    ),
    "08-stray-opening-quote": Case(
        {"f4": campaign(0, "Bye"), "f5": campaign(1, "z")}, held={"sends": 3}, code=3
    ),
    "09c-mixed-endings-concatenated": Case({f"h{n}": campaign(0 if n == 1 else 1) for n in range(1, 5)}),
    "10-excel-sep-line": Case({"i1": campaign(0)}),
    "11-trailing-delimiter-everywhere": Case({"j1": campaign(0), "j2": campaign(1)}),
    "11c-excel-blank-rows": Case({"j1": campaign(0), "j2": campaign(1)}),
    "11d-pandas-index-column": Case({"j1": campaign(0), "j2": campaign(1)}),
    "12-cp1252": Case({"k1": campaign(0, "It\u2019s \u201c50%\u201d off \u2014 only \u20ac5\u2026")}),
    "12d-utf16-no-bom": Case({"k1": campaign(0)}),
    "12e-one-bad-byte-mojibake": Case(
        {f"k{n}": campaign(n, "Caf\xe9 Zo\xeb a\xf1o") for n in range(3)}, held={"sends": 1}, code=3
    ),
    "13-csv-injection-guard": Case(
        {"l1": campaign(0, "=SUM special"), "l2": campaign(1, "-20% today"), "l3": campaign(1)}
    ),
    "14-space-after-comma": Case(
        {"m1": sent(0, message="Hi, Ann"), "m2": sent(1)},
        {"m2": clicked(1, SECOND)},
        [earned("m2", 5, SECOND)],
        duplicate={"revenue": 1},
    ),
    "16-parquet-binary-strings": Case(
        {"p1": sent(0, TEN, "Zo\xeb 50% off \U0001f389"), "p2": sent(1, ELEVEN, 'say "hi" \\ ok\n')}
    ),
    "16b-parquet-pandas-index": Case(PARTS),
    "16c-hive-folders": Case(PARTS),
    "16e-hive-key-named-like-a-column": Case(PARTS),
    "17-parquet-float-ids": Case(
        {"1001": PARTS["p1"], "1002": PARTS["p2"]}, held={"clicks": 1, "revenue": 1}, code=3
    ),
    "18e-parquet-nested-message": Case(held={"sends": 2}, code=3),
    "19-mongo-export-ndjson": Case(held={"sends": 4}, code=3),
    "21b-ndjson-mixed-endings": Case({f"n{n}": sent(0, TEN, None) for n in (1, 2, 3)}),
    "22-epoch-and-dmy": Case(
        {
            f"t{n}": sent((2, 0, 1)[(n - 8) % 3], "2024-05-01T17:00:00Z" if n == 9 else TEN, "x")
            for n in range(8, 15)
        },
        held={"sends": 17},
        code=3,
    ),
    "23-amounts": Case(
        {"s1": sent(0, TEN, "x")},
        revenue=[earned("s1", amount, SECOND) for amount in (7.5, 5, 0)],
        held={"revenue": 19},
        code=3,
    ),
}


APART = (
    ("03-other-suffixes-ignored",),
    ("11c-excel-blank-rows", "12d-utf16-no-bom", "16b-parquet-pandas-index"),
    ("11d-pandas-index-column", "12e-one-bad-byte-mojibake", "16c-hive-folders"),
    ("03-other-suffixes-ignored and --ignore-unread", "16e-hive-key-named-like-a-column"),
)
"""Cases are pushed at once, as people do, but for these: no two of a push have an id in common."""

PUSHES = (tuple(name for name in EXPECTED if not any(name in names for names in APART)), *APART)


def expected(names: tuple[str, ...]) -> Case:
    """What must become of cases that are pushed together."""
    cases = [EXPECTED[name] for name in names]
    merged = Case(
        code=max(case.code for case in cases), more=tuple(word for case in cases for word in case.more)
    )
    for case in cases:
        assert not merged.sends.keys() & case.sends.keys()
        merged.sends.update(case.sends)
        merged.clicks.update(case.clicks)
        merged.revenue.extend(case.revenue)
        for name in ("held", "parked", "duplicate"):
            of = getattr(merged, name)
            of.update(Counter(of) + Counter(getattr(case, name)))
    return merged


@pytest.fixture
def people() -> Account:
    """The account that the cases speak of."""
    account = Account()
    account.lists = [
        {
            "id": number,
            "phone_number": f"+1555900{number:04}",
            "brand_name": "Brand",
            "list_name": f"List {number}",
            "list_type": "lime",
            "status": "active",
            "contact_count": 3,
            "created_at": TEN,
        }
        for number in (100, 101)
    ]
    account.offers = [
        {"id": OFFER, "name": "Offer", "status": "active", "created_at": TEN, "updated_at": TEN}
    ]
    for phone in PHONES:
        account.add_contact(
            {
                "phone_number": phone,
                "list_number": account.lists[0]["phone_number"],
                "list_id": 100,
                "active": True,
                "signup_date": "2024-01-01T00:00:00",
                "custom_fields": {},
                "send_count": 0,
                "click_count": 0,
                "revenue_total": 0.0,
                "conversion_count": 0,
                "last_sent_at": None,
                "last_clicked_at": None,
            }
        )
    return account


@pytest.fixture
def served(people: Account) -> Iterator[Server]:
    """That account, served."""
    with running(people) as server:
        yield server


@pytest.fixture
def folder(served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, with settings that lead to it and to the account."""
    given = {
        "API_KEY": API_KEY,
        "BASE_URL": served.url,
        "DATA_DIR": str(tmp_path / "data"),
        "SETTLE_SECONDS": "0",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"TRACKLY_{name}", value)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "data"


def run(names: tuple[str, ...], folder: Path, *arguments: str) -> int:
    """Push the files of cases as at a terminal; the exit code."""
    history = folder / "history"
    history.mkdir(parents=True)
    for case in names:
        name = case.split(" ", maxsplit=1)[0]
        for found in (CASES / name).iterdir():
            stem, _, kind = found.name.partition(".")
            if found.is_dir():
                shutil.copytree(found, history / stem)
            else:
                shutil.copy(found, history / f"{stem}-{name}.{kind}")
    with pytest.raises(SystemExit) as ended:
        app(["push", *arguments])
    return int(ended.value.code or 0)


def arrived(account: Account) -> tuple[dict[str, Row], dict[str, Row], list[Row]]:
    """What the account has, without what it adds itself."""
    sends = {
        name: {key: value for key, value in row.items() if key not in ("id", "imported")}
        for name, row in account.sends.items()
    }
    clicks = {
        name: {key: value for key, value in row.items() if key != "message_id"}
        for name, row in account.clicks.items()
    }
    revenue = [
        {key: value for key, value in row.items() if key not in ("id", "phone_number", "list_id")}
        for row in account.revenue
    ]
    return sends, clicks, sorted(revenue, key=str)  # they go in several calls at once


@pytest.mark.parametrize("names", PUSHES, ids=lambda names: names[0])
def test_what_arrives_is_what_the_file_says(
    names: tuple[str, ...], people: Account, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of each folder exactly the expected records arrive, every other row has its outcome, and the code tells."""
    case = expected(names)
    code = run(names, folder, *case.more)
    assert code == case.code, "".join(capsys.readouterr())
    assert arrived(people) == (case.sends, case.clicks, sorted(case.revenue, key=str))
    if case.code == 2:
        return
    accepted = {"sends": len(case.sends), "clicks": len(case.clicks), "revenue": len(case.revenue)}
    for dataset, of in outcomes(load_settings()).items():
        counts = {
            "accepted": accepted[dataset],
            "quarantined": case.held.get(dataset, 0),
            "parked": case.parked.get(dataset, 0),
            "duplicate": case.duplicate.get(dataset, 0),
        }
        assert {key: value for key, value in asdict(of).items() if value} == {
            key: value for key, value in {**counts, "rows_in": sum(counts.values())}.items() if value
        }


def test_every_case_is_expected() -> None:
    """No folder of the cases is left out."""
    assert {path.name for path in CASES.iterdir()} == {name.split(" ")[0] for name in EXPECTED}


def test_what_is_not_read_is_named(people: Account, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is named like a dataset and not read is named with a remedy, before anything is sent."""
    run(("03-other-suffixes-ignored",), folder)
    told = " ".join(capsys.readouterr().err.split())
    assert "clicks-03-other-suffixes-ignored.xlsx is a spreadsheet: save each sheet as CSV UTF-8" in told
    assert not people.sends
