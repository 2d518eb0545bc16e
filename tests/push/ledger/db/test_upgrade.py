"""Data that the first version wrote, under today's program; and a ledger of a program to come.

`first_version/data.tar.xz` was written by version 0.1.0 as of commit c05bfa3: a seeded account of 60 contacts was
pulled, `write_history(sends=200)` was pushed, and the answer to the call of revenue was lost. `account.json` is the
account's state after that.
"""

import json
import shutil
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
from pipelines.push.run import intake, push, send
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
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 has none
        archive.extractall(tmp_path)  # noqa: S202 - our own
    state = json.loads((tmp_path / "account.json").read_text())
    account = Account()
    for contact in reversed(state.pop("contacts")):
        account.add_contact(contact)
    for name, content in state.items():
        setattr(account, name, content)
    return account


def query_ledger(settings: Settings, sql: str) -> list[Any]:
    return query_of(settings.data_dir / "ledger.db", sql)


def query_of(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
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


READINGS = (
    "ALTER TABLE push_chunks ADD COLUMN reading INTEGER",
    (
        "CREATE TABLE push_readings (reading INTEGER NOT NULL PRIMARY KEY, started_at TEXT NOT NULL,"
        " finished_at TEXT NOT NULL, complete BOOLEAN NOT NULL)"
    ),
    (
        "CREATE TABLE push_resolutions (resolution INTEGER NOT NULL PRIMARY KEY, dataset TEXT NOT NULL,"
        " identity TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, resolved_at TEXT NOT NULL)"
    ),
    "INSERT INTO push_readings VALUES (1, '2024-01-01T00:00:00+00:00', '2024-01-01T00:01:00+00:00', TRUE)",
    *(
        f"ALTER TABLE push_rows ADD COLUMN {name}_before BIGINT"
        for name in ("amount", "count", "phone_amount", "phone_count")
    ),
)
"""What commit 27086ca added to a ledger that had no version yet."""

TABLES_ALONE = tuple(statement for statement in READINGS if statement.startswith("CREATE"))
"""What it left of a ledger that was there: it made tables, and no columns."""

FIRST_INTAKES = (*READINGS, "ALTER TABLE push_intakes ADD COLUMN first_taken_in_at TEXT")
"""What was there from commit 402e483 on."""

PARTS = (
    *READINGS,
    "ALTER TABLE push_chunks ADD COLUMN part TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE push_intakes RENAME TO older",
    (
        "CREATE TABLE push_intakes (dataset TEXT NOT NULL, part TEXT DEFAULT '' NOT NULL, rows_in BIGINT NOT NULL,"
        " quarantined BIGINT NOT NULL, duplicate BIGINT NOT NULL, parked BIGINT NOT NULL, taken_in_at TEXT NOT NULL,"
        " first_taken_in_at TEXT, PRIMARY KEY (dataset, part))"
    ),
    (
        "INSERT INTO push_intakes SELECT dataset, '', rows_in, quarantined, duplicate, parked, taken_in_at, NULL"
        " FROM older"
    ),
    "DROP TABLE older",
)
"""What was there from commit 9578369 on, up to the one that gave ledgers a version."""


def test_a_ledger_from_before_versions_is_brought_up_to_date_whatever_it_has(
    account: Account, upgraded: Settings, database: str
) -> None:
    """Four states of ledgers had no version; each is recognized by its columns, and nothing is sent twice."""
    ledger, first = upgraded.data_dir / "ledger.db", upgraded.data_dir / "first.db"
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("UPDATE push_chunks SET state = 'answered' WHERE dataset = 'revenue'")
        connection.execute("UPDATE push_rows SET outcome = 'accepted', code = NULL WHERE dataset = 'revenue'")
    ledger.rename(first)
    for state in (TABLES_ALONE, FIRST_INTAKES, PARTS, READINGS):
        shutil.copy(first, ledger)
        with closing(sqlite3.connect(ledger)) as connection, connection:
            for statement in state:
                connection.execute(statement)
        assert outcomes(upgraded)["revenue"] == Outcomes(
            13, duplicate=1, quarantined=1, parked=1, accepted=10
        )
        _has_declared_tables(upgraded)
    posts = sum(request.method == "POST" for request in account.log)
    intake(upgraded, ["revenue"])
    assert send(upgraded, ["revenue"])["revenue"].accepted == 10
    assert sum(request.method == "POST" for request in account.log) == posts
    assert query_ledger(upgraded, "SELECT max(reading) >= 1 FROM push_readings") == [(1,)]
    shared = upgraded.model_copy(update={"ledger_url": database})
    with psycopg.connect(database, autocommit=True) as plain:
        for (made,) in query_of(first, "SELECT sql FROM sqlite_master WHERE type = 'table'"):
            plain.execute(made.replace("WITHOUT ROWID", ""))
        for statement in READINGS:
            plain.execute(statement)
    _has_declared_tables(shared)


def _has_declared_tables(settings: Settings) -> None:
    """See that the ledger's tables have the declared columns and keys."""
    with open_ledger(settings) as ledger, ledger.begin() as connection:
        found = sa.inspect(connection)
        for table in metadata.sorted_tables:
            columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
            assert columns == {column.name: bool(column.nullable) for column in table.columns}
            key = found.get_pk_constraint(table.name)["constrained_columns"]
            assert set(key) == {column.name for column in table.primary_key}


def test_an_upgraded_ledger_is_as_a_new_one(upgraded: Settings, settings: Settings, database: str) -> None:
    """Migrations and declarations say the same of every table, on both databases."""
    shared = settings.model_copy(update={"ledger_url": database})
    for some in (upgraded, settings, shared):
        _has_declared_tables(some)
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


def test_a_warehouse_of_a_newer_program_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    """A pull says so and changes nothing."""
    settings = settings.model_copy(update={"data_dir": tmp_path / "new"})
    pull(settings, ["lists"], "first")
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("UPDATE sync.version SET version = 999")
    before = settings.warehouse.read_bytes()
    with pytest.raises(StorageError, match="newer Trackly Sync"):
        pull(settings, ["lists"], "second")
    assert settings.warehouse.read_bytes() == before
