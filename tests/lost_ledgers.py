"""Ledgers that are lost, or older than what was pushed, and revenue to push with them."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from pipelines.settings import Settings

Row = dict[str, Any]


def rows_of(sends: list[Row], offer: str, first: int, last: int) -> list[Row]:
    return [
        {
            "record_id": f"r{number}",
            "message_id": sends[number]["id"],
            "offer_id": offer,
            "revenue": 1.25 + number,
            "timestamp": "2024-05-02T10:00:00Z",
        }
        for number in range(first, last)
    ]


def restore(settings: Settings, backup: Path | None) -> None:
    """Put a backup in place of the ledger; None: it is lost."""
    for file in settings.data_dir.glob("ledger.db*"):
        file.unlink()
    if backup:
        shutil.copy(backup, settings.data_dir / "ledger.db")


def copy_ledger(settings: Settings, name: str, entity: str, _: Row) -> None:
    """A backup of the ledger as it is when the first row of revenue arrives; hung into the account."""
    backup = settings.data_dir / name
    if entity == "revenue" and not backup.exists():
        with (
            closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger,
            closing(sqlite3.connect(backup)) as copy,
        ):
            ledger.backup(copy)


def change(ledger: Path, edit: str) -> None:
    """Change a ledger behind our back."""
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute(edit)
