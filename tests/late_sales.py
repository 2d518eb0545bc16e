"""Sales to forty people, whose calls are lost or late, and what the account and the ledger have of them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from histories import active_offer, sends_to, write_rows

from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.alarms import alarms
from pipelines.sandbox import API_KEY, Account, seed_account
from pipelines.settings import Settings

Row = dict[str, Any]


def empty_account() -> Account:
    """A small account without revenue, so that a reading is one request."""
    account = seed_account(contacts=60)
    account.revenue.clear()
    return account


def sends_to_first(account: Account, number: int, contacts: int = 40) -> list[Row]:
    """Sends to the account's first contacts, no two of them with one number, in turn."""
    known = list({row["phone_number"]: row for row in account.contacts()}.values())[:contacts]
    assert len(known) == contacts
    return sends_to(known, number)


def write_history(
    account: Account, folder: Path, number: int, amounts: list[str], contacts: int = 40
) -> list[Row]:
    """Sends to the account's first contacts, and a sale of each; the sends."""
    sends = sends_to_first(account, number, contacts)
    sale = {"offer_id": active_offer(account), "timestamp": "2024-06-01T00:00:00Z"}
    sales = [
        {**sale, "message_id": row["id"], "revenue": amounts[n % len(amounts)]} for n, row in enumerate(sends)
    ]
    for name, rows in (("sends", sends), ("revenue", sales)):
        write_rows(folder / f"{name}.ndjson", rows)
    return sends


def events(account: Account) -> Counter[str]:
    """How often the account has each row."""
    return Counter(row["message_id"] for row in account.revenue)


def once(rows: list[Row]) -> Counter[str]:
    return Counter(row["id"] for row in rows)


def store(settings: Settings, sales: list[Row]) -> None:
    """Have the account take revenue, by a call that is not ours."""
    url = f"{settings.base_url}/history/revenue"
    reply = httpx.post(url, headers={"X-Api-Key": API_KEY}, json={"records": sales})
    assert reply.json()["success_count"] == len(sales)


def sales_of(settings: Settings) -> list[Row]:
    """The sales of the file, as the account takes them."""
    rows = map(json.loads, (settings.history / "revenue.ndjson").read_text().splitlines())
    return [{**row, "revenue": float(row["revenue"])} for row in rows]


def open_alarms(settings: Settings, *, every: bool = False) -> list[Any]:
    """Those that are open; or all that were ever raised."""
    with open_ledger(settings) as ledger, ledger.begin() as connection:
        return alarms(connection, every=every)
