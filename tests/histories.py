"""History as tests write it: rows, and the files that they stand in."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.sandbox import Account

Row = dict[str, Any]

EXPORT = "id,sent,n\na,05/01/2024,12\nb,06/01/2024,13\n"
"""What a query reads: a file that is no history as it is."""


def sends_to(contacts: Sequence[Row], number: int) -> list[Row]:
    """Good sends to contacts, one after the other."""
    return [
        {
            "id": f"m{n:06}",
            "to_number": contacts[n % len(contacts)]["phone_number"],
            "timestamp": "2024-05-01T10:00:00Z",
            "list_number": contacts[n % len(contacts)]["list_number"],
        }
        for n in range(number)
    ]


def clicks_of(sends: Sequence[Row], offer: str, at: str) -> list[Row]:
    """A click of each send, all at one time."""
    return [
        {
            "message_id": row["id"],
            "offer_id": offer,
            "phone_number": row["to_number"],
            "timestamp": at,
        }
        for row in sends
    ]


def active_offer(account: Account) -> str:
    """The id of an active offer."""
    return next(str(offer["id"]) for offer in account.offers if offer["status"] == "active")


def write_rows(path: Path, rows: list[Row]) -> Path:
    """Write rows as NDJSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
