"""The account's own state, written as the warehouse should show it: shares no code with the engine."""

import datetime as dt
import json
import tempfile
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

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


class _Reader:
    """An instance of DuckDB, which takes longer to start than a query, and the file that it has attached still."""

    def __init__(self) -> None:
        self.instance = duckdb.connect()
        self._attached: tuple[int, ...] | None = None

    def open(self, warehouse: Path) -> None:
        """Attach a file, unless it is attached and has not changed: that takes thirty times as long as a query.

        It is attached by a link, which is gone at once: to a path that is read nobody in the process may write.
        """
        found = warehouse.stat()  # no other file has this number as long as it is attached
        state = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
        if self._attached == state:
            return
        self.let_go()
        link = Path(tempfile.gettempdir(), f"read-{uuid4().hex}.duckdb")
        try:
            link.hardlink_to(warehouse)
        except OSError:  # on another file system, such as one that is to be taken away
            self._attach(warehouse)
            return
        try:
            self._attach(link)
        finally:
            link.unlink()
        self._attached = state

    def end_block(self) -> None:
        """Let go of a file that could not be linked to."""
        if self._attached is None:
            self.instance.execute("DETACH warehouse")

    def let_go(self) -> None:
        if self._attached is not None:
            self.instance.execute("DETACH warehouse")
        self._attached = None

    def _attach(self, path: Path) -> None:
        self.instance.execute("ATTACH '{}' AS warehouse (READ_ONLY)".format(str(path).replace("'", "''")))


_waiting: list[_Reader] = []


@contextmanager
def reading(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the warehouse; nothing of a block is left when it ends."""
    reader = _waiting.pop() if _waiting else _Reader()
    reader.open(warehouse)
    with reader.instance.cursor() as connection:
        connection.execute("USE warehouse; SET TimeZone = 'UTC'")
        yield connection
    reader.end_block()
    _waiting.append(reader)


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
    with reading(warehouse) as connection:
        cursor = connection.execute(f"FROM {table}")
        names = [column[0] for column in cursor.description or []]
        rows = cursor.fetchall()
    kept = [(place, name, name in DOCUMENTS) for place, name in enumerate(names) if name not in BOOKKEEPING]
    return [
        {
            name: json.loads(row[place]) if is_json else row[place]
            for place, name, is_json in kept
            if row[place] is not None
        }
        for row in rows
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
