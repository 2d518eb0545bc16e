"""A made-up export of another platform, with some rows bad on purpose."""

import csv
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from pipelines.errors import UsageError
from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Row

_START = datetime(2025, 1, 1, tzinfo=UTC)
_SEND = ("id", "to_number", "timestamp", "list_number", "message", "send_type", "delivered", "length")


@dataclass(frozen=True, slots=True)
class Export:
    """The written export: rows by dataset, and how many of them cannot be imported.

    Attributes:
        rows: all rows by dataset.
        bad: rows that break the contract or refer to nothing.
        repeated: rows that repeat an earlier one's identity.
        revenue: the sum of the amounts that can be imported, in ten-thousandths.
    """

    rows: dict[str, int]
    bad: dict[str, int]
    repeated: dict[str, int]
    revenue: int


LEAST_SENDS = 100
"""Least number of sends; with fewer there is no revenue to repeat."""


def write_history(account: Account, folder: Path, sends: int = 12_000, seed: int = 7) -> Export:
    """Write sends.csv, clicks.ndjson and revenue.parquet.

    Args:
        account: the account with the lists, offers and contacts of the export.
        folder: made if needed.
        sends: number of good sends, `LEAST_SENDS` or more; a fifth are clicked, and a fourth of these bring revenue.
        seed: of the random generator.

    Raises:
        UsageError: the account has no contacts, or no offers.
    """
    chance = random.Random(seed)  # noqa: S311 - made-up data
    contacts = account.contacts()
    offers = [offer["id"] for offer in account.offers if offer["status"] == "active"]
    if not (contacts and offers):
        raise UsageError(
            "A history needs a contact and an active offer, and the account has none.",
            "Give it more --contacts and --offers.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    good = [_send(number, chance.choice(contacts)) for number in range(sends)]
    clicks = [_click(row, chance.choice(offers)) for row in good[::5]]
    # a buyer has clicked, and bought the clicked offer
    revenue = [_revenue(number, click, chance) for number, click in enumerate(clicks[::4])]
    bad_sends = [
        {**good[0], "id": "bad-phone", "to_number": "555-0100"},
        {**good[0], "id": "bad-time", "timestamp": "yesterday"},
        {**good[0], "id": "bad-list", "list_number": "+15550000000"},
    ]
    bad_clicks = [
        {**clicks[0], "message_id": good[1]["id"], "offer_id": "0" * 24},
        {**clicks[0], "message_id": "never-sent"},
    ]
    bad_revenue = [
        {**revenue[0], "record_id": "negative", "revenue": -5.0},
        {**revenue[0], "record_id": "orphan", "message_id": "never-sent"},
    ]
    _write_csv(folder / "sends.csv", [*good, *bad_sends, good[2]])
    _write_ndjson(folder / "clicks.ndjson", [*clicks, *bad_clicks, clicks[3]])
    _write_parquet(folder / "revenue.parquet", [*revenue, *bad_revenue, revenue[4]])
    return Export(
        rows={"sends": sends + 4, "clicks": len(clicks) + 3, "revenue": len(revenue) + 3},
        bad={"sends": 3, "clicks": 2, "revenue": 2},
        repeated={"sends": 1, "clicks": 1, "revenue": 1},
        revenue=sum(round(row["revenue"] * 10_000) for row in revenue),
    )


def _send(number: int, contact: Row) -> Row:
    message = f"Deal no. {number}: 10 % off,\nonly today" if number % 50 == 0 else f"Deal no. {number}"
    return {
        "id": f"old-{number:07}",
        "to_number": contact["phone_number"],
        "timestamp": (_START + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "list_number": contact["list_number"],
        "message": message,
        "send_type": "campaign",
        "delivered": "true" if number % 20 else "false",
        "length": len(message),
    }


def _click(send: Row, offer: str) -> Row:
    return {
        "message_id": send["id"],
        "offer_id": offer,
        "phone_number": send["to_number"],
        "timestamp": send["timestamp"].replace(":00Z", ":30Z"),
    }


def _revenue(number: int, click: Row, chance: random.Random) -> Row:
    return {
        "record_id": f"sale-{number:06}",
        "message_id": click["message_id"],
        "offer_id": click["offer_id"],
        "revenue": round(chance.uniform(1, 90), 2),
        "payout": 12.5,
        "attribution_type": "sale",
        "timestamp": click["timestamp"].replace(":30Z", ":00Z"),
    }


def _write_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _SEND)
        writer.writeheader()
        writer.writerows(rows)


def _write_ndjson(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _write_parquet(path: Path, rows: list[Row]) -> None:
    columns = (
        "record_id VARCHAR, message_id VARCHAR, offer_id VARCHAR, revenue DECIMAL(18,4), payout DOUBLE, "
    )
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t ({columns} attribution_type VARCHAR, timestamp VARCHAR)")
        connection.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", [list(row.values()) for row in rows]
        )
        connection.execute("COPY t TO $path (FORMAT parquet)", {"path": str(path)})
