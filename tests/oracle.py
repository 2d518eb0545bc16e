"""The account's own state, written as the warehouse should show it: shares no code with the engine."""

import datetime as dt
import json
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from pipelines.sandbox import Account, Server
from pipelines.settings import Settings

Key = tuple[str, int]
INSTANTS = {
    "signup_date",
    "last_sent_at",
    "last_clicked_at",
    "last_revenue_at",
    "created_at",
    "updated_at",
    "timestamp",
    "cached_size_updated_at",
    "send_date",
    "start_date",
    "end_date",
}
MONEY = {"revenue_total", "payout", "revenue"}
DOCUMENTS = {"custom_fields", "metadata", "offer_links", "offers", "filter", "days_of_week", "blasts"}
BOOKKEEPING = {"synced_at", "snapshot", "page", "extra"}


def expected(row: dict[str, Any]) -> dict[str, Any]:
    """One row of the API as a row of the warehouse."""
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if value is None:
            shown[name] = None
        elif name in INSTANTS:
            when = dt.datetime.fromisoformat(value)
            shown[name] = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
        elif name in MONEY:
            shown[name] = Decimal(str(value)).quantize(Decimal("0.0001"))
        else:
            shown[name] = value
    return shown


_waiting: list[duckdb.DuckDBPyConnection] = []
"""Instances of DuckDB: to start one takes longer than a query."""


@contextmanager
def reading(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the warehouse; nothing of a block is left when it ends."""
    instance = _waiting.pop() if _waiting else duckdb.connect()
    path = str(warehouse).replace("'", "''")
    instance.execute(f"ATTACH '{path}' AS warehouse (READ_ONLY)")
    with instance.cursor() as connection:
        connection.execute("USE warehouse; SET TimeZone = 'UTC'")
        yield connection
    instance.execute("DETACH warehouse")
    _waiting.append(instance)


def named_rows(warehouse: Path, sql: str, zone: str = "UTC") -> list[dict[str, Any]]:
    """The rows of a query by their columns' names, as an analyst in some time zone reads them."""
    with reading(warehouse) as connection:
        connection.execute(f"SET TimeZone = '{zone}'")
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def mart(settings: Settings, name: str, zone: str = "UTC") -> list[dict[str, Any]]:
    """A mart's rows, likewise."""
    return named_rows(settings.warehouse, f"FROM marts.{name}", zone)


def every_mart(settings: Settings, names: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """The rows of marts; the warehouse is opened once, which takes half as long as to query one."""
    found = {}
    with reading(settings.warehouse) as connection:
        for name in names:
            cursor = connection.execute(f"FROM marts.{name}")
            columns = [column[0] for column in cursor.description or ()]
            found[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return found


def shown(warehouse: Path, table: str) -> list[dict[str, Any]]:
    """A table's rows without the bookkeeping and without columns that are null."""
    return [
        {
            name: json.loads(value) if name in DOCUMENTS else value
            for name, value in row.items()
            if value is not None and name not in BOOKKEEPING
        }
        for row in named_rows(warehouse, f"SELECT * FROM {table}")
    ]


def same(found: list[dict[str, Any]], rows: list[dict[str, Any]], *key: str) -> bool:
    """Whether both hold the same rows, field by field, in any order."""

    def by_key(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(some, key=lambda row: tuple(str(row[name]) for name in key))

    wanted = [{name: value for name, value in expected(row).items() if value is not None} for row in rows]
    return by_key(found) == by_key(wanted)


def query(warehouse: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with reading(warehouse) as connection:
        return connection.execute(sql, list(values)).fetchall()


def assert_equal(account: Account, settings: Settings) -> None:
    """The warehouse holds what the account holds."""
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    assert same(shown(settings.warehouse, "lists"), account.lists, "id")
    assert same(shown(settings.warehouse, "offers"), account.offers, "id")


def followed(account: Account, change: Callable[[int, Account], None]) -> tuple[set[Key], set[Key]]:
    """Have an account change before every request.

    Returns:
        The contacts that were there throughout, and all that ever were; both go with the account.
    """
    stayed = {key_of(row) for row in account.contacts()}
    ever = set(stayed)

    def drift(number: int, of: Account) -> None:
        change(number, of)
        now = {key_of(row) for row in of.contacts()}
        stayed.intersection_update(now)
        ever.update(now)

    account.before_request = drift
    return stayed, ever


def key_of(row: dict[str, Any]) -> Key:
    """What tells a contact apart."""
    return row["phone_number"], row["list_id"]


def restore_key(server: Server) -> None:
    """Make the key good again."""
    request = urllib.request.Request(server.url.replace("/api/v2", "/_sandbox/faults"), method="DELETE")  # noqa: S310
    with urllib.request.urlopen(request):  # noqa: S310 - loopback
        pass
