"""Data that the first version wrote, under today's program; and a ledger of a program to come.

`first_version/data.tar.xz` was written by version 0.1.0 as of commit c05bfa3: a seeded account of 60 contacts was
pulled, `write_history(sends=200)` was pushed, and the answer to the call of revenue was lost. `account.json` is the
account's state after that.
"""

import json
import sqlite3
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import sqlalchemy as sa
from oracle import assert_equal, query

from pipelines.errors import StorageError
from pipelines.pull.run import pull
from pipelines.push.ledger.db.tables import metadata
from pipelines.push.ledger.opening import existing_ledger, open_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.push.resolve import in_doubt, resolve
from pipelines.push.run import push, send
from pipelines.sandbox import Account, running
from pipelines.settings import Settings
from pipelines.warehouse.published import published
from pipelines.warehouse.structure.version import VERSION

ALL = ["sends", "clicks", "revenue"]
WRITTEN = Path(__file__).parent / "first_version" / "data.tar.xz"


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """The account as the first version left it."""
    with tarfile.open(WRITTEN) as archive:
        archive.extractall(tmp_path, filter="data")
    state = json.loads((tmp_path / "account.json").read_text())
    account = Account()
    for contact in reversed(state.pop("contacts")):
        account.add_contact(contact)
    for name, content in state.items():
        setattr(account, name, content)
    return account


def query_ledger(settings: Settings, sql: str) -> list[Any]:
    with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def upgraded(account: Account, tmp_path: Path, settings_of: Callable[..., Settings]) -> Iterator[Settings]:
    """Settings for what the first version wrote."""
    with running(account) as server:
        yield settings_of(server.url, tmp_path / "data")


def test_a_push_goes_on_where_the_first_version_left_off(account: Account, upgraded: Settings) -> None:
    """Nothing is sent twice, rows in doubt stay so until a person settles them, and the tables are today's.

    What an older intake left is refused with the remedy, and the remedy helps.
    """
    before = outcomes(upgraded)
    assert before["revenue"] == Outcomes(13, duplicate=1, quarantined=1, parked=1, in_doubt=10)
    stored = Counter(row["message_id"] for row in account.revenue if "message_id" in row)
    posts = len(account.log)
    held = published(upgraded.warehouse)
    with pytest.raises(StorageError, match=r"another version.*trackly-sync push"):
        send(upgraded, ["sends"])
    assert push(upgraded, ALL).outcomes == before
    assert published(upgraded.warehouse) == held, (
        "columns that are new since are null, which reads as not said"
    )
    assert send(upgraded, ["sends"])["sends"].accepted == 200
    assert not [request for request in account.log[posts:] if request.method == "POST"]
    assert {doubt.code for doubt in in_doubt(upgraded)} == {"no_reading"}
    resolve(upgraded, [doubt.identity for doubt in in_doubt(upgraded)], Outcome.ACCEPTED, "seen")
    assert outcomes(upgraded)["revenue"].accepted == 10
    assert Counter(row["message_id"] for row in account.revenue if "message_id" in row) == stored
    assert query(upgraded.warehouse, "SELECT count(*) FROM imports.resolutions") == [(10,)]
    pull(upgraded, ["contacts", "lists", "offers", "revenue"], "after")
    assert_equal(account, upgraded)
    assert query(upgraded.warehouse, "SELECT version FROM sync.version") == [(VERSION,)]


def test_an_upgraded_ledger_is_as_a_new_one(upgraded: Settings, settings: Settings, database: str) -> None:
    """Migrations and declarations say the same of every table, on both databases."""
    shared = settings.model_copy(update={"ledger_url": database})
    for some in (upgraded, settings, shared):
        with open_ledger(some) as ledger, ledger.begin() as connection:
            found = sa.inspect(connection)
            for table in metadata.sorted_tables:
                columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
                assert columns == {column.name: bool(column.nullable) for column in table.columns}
                key = found.get_pk_constraint(table.name)["constrained_columns"]
                assert set(key) == {column.name for column in table.primary_key}
    made = [
        query_ledger(some, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2")
        for some in (upgraded, settings)
    ]
    assert made[0] == made[1], "to the letter, with every index"


def test_a_ledger_of_a_newer_program_is_refused(settings: Settings, database: str) -> None:
    """An older program neither reads nor writes what it does not know."""
    shared = settings.model_copy(update={"ledger_url": database})
    for some in (settings, shared):
        with open_ledger(some):
            pass
    engine = sa.create_engine(settings.ledger)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE push_version SET version_num = '0999'"))
    engine.dispose()
    with psycopg.connect(database, autocommit=True) as plain:
        plain.execute("UPDATE push_version SET version_num = '0999'")
    for some in (settings, shared):
        for opened in (open_ledger, existing_ledger):
            with pytest.raises(StorageError, match="newer Trackly Sync"), opened(some):
                pass


def test_a_warehouse_of_a_newer_program_is_left_alone(settings: Settings) -> None:
    """A pull says so and changes nothing."""
    pull(settings, ["lists"], "first")
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("UPDATE sync.version SET version = 999")
    before = settings.warehouse.read_bytes()
    with pytest.raises(StorageError, match="newer Trackly Sync"):
        pull(settings, ["lists"], "second")
    assert settings.warehouse.read_bytes() == before
