"""Histories of lists, offers and contacts, and how they are asked: as of an instant, or from a snapshot's files."""

import datetime as dt
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from beginnings import Beginning, beginning, seeded
from oracle import key_of, query

from pipelines.pull.rollback import rollback
from pipelines.pull.run import pull
from pipelines.sandbox import Account, Server, parse_fault, running
from pipelines.settings import Settings
from pipelines.warehouse.publish import publish
from pipelines.warehouse.swap import replacing
from schemas.own_tables.versions import VERSIONED

CHANGED = ["lists", "offers", "contacts"]
WITH_JSON = ["offers", "contacts"]
CUSTOM = {
    "name": "Zoé",
    "page": "a/b",
    "visits": 1,
    "rate": 0.5,
    "none": None,
    "deep": {"p": 2, "q": [1, {"r": 3, "s": "ü"}]},
}


@pytest.fixture
def account() -> Account:
    """A page of contacts: every test here pulls several times."""
    return seeded(150)


def as_of(settings: Settings, dataset: str, moment: dt.datetime) -> list[tuple[Any, ...]]:
    """The rows of a dataset at an instant, by the macro."""
    columns = ", ".join(VERSIONED[dataset].columns)
    return sorted(query(settings.warehouse, f"SELECT {columns} FROM {dataset}_as_of(?)", moment), key=repr)


def present(settings: Settings, dataset: str) -> list[tuple[Any, ...]]:
    """The rows of a dataset now."""
    columns = ", ".join(VERSIONED[dataset].columns)
    return sorted(query(settings.warehouse, f"SELECT {columns} FROM {dataset}"), key=repr)


@dataclass(frozen=True)
class Pulled:
    """What three pulls have left.

    Attributes:
        beginning: the account and the data directory after them.
        gone: a list and an offer that the second pull was without.
        states: by pull, when it was over, and the tables then.
    """

    beginning: Beginning
    gone: dict[str, Any]
    states: list[tuple[dt.datetime, dict[str, list[tuple[Any, ...]]]]]


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]) -> Pulled:
    """Rows that were changed, removed, new, and back again, in three pulls."""

    def make(folder: Path) -> Account:
        account = seeded(150)
        gone = account.lists[-1], account.offers[-1]
        states = []
        with running(account) as server:
            settings = settings_of(server.url, folder / "data")
            for step in range(3):
                if step == 1:
                    account.lists[0]["list_name"] = "renamed"
                    account.offers[0]["payout"] = 99
                    account.lists.remove(gone[0])
                    account.offers.remove(gone[1])
                    account.contacts()[0]["active"] = not account.contacts()[0]["active"]
                    account.remove_contact(key_of(account.contacts()[1]))
                if step == 2:
                    account.lists.append(gone[0])
                    account.offers.append(gone[1])
                    account.offers[0]["metadata"] = {"note": "new"}
                pull(settings, CHANGED, f"r{step}")
                states.append((dt.datetime.now(dt.UTC), {name: present(settings, name) for name in CHANGED}))
        found = {"lists": gone[0]["id"], "offers": gone[1]["id"]}, states
        (folder / "states").write_bytes(pickle.dumps(found))
        return account

    made = beginning(tmp_path_factory, "three_pulls", make)
    return Pulled(made, *pickle.loads((made.data_dir.parent / "states").read_bytes()))  # noqa: S301 - our own


@pytest.fixture
def three_pulls(pulled: Pulled, account: Account, settings: Settings) -> Pulled:
    """That account is served, with a copy of the data directory."""
    pulled.beginning.restore(account, settings)
    return pulled


def test_every_state_that_was_published_can_be_asked_for(
    three_pulls: Pulled, account: Account, settings: Settings
) -> None:
    """`<dataset>_as_of` gives back what the table was after each pull: changed, removed, new, and back again."""
    for moment, tables in three_pulls.states:
        for name, rows in tables.items():
            assert as_of(settings, name, moment) == rows, name
    assert as_of(settings, "contacts", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)) == []
    for name, gone in three_pulls.gone.items():
        removed = f"SELECT id FROM {name}_history WHERE removed_at IS NOT NULL"
        assert query(settings.warehouse, removed) == [(gone,)]
    versions = "SELECT count(*), count(valid_to) FROM offers_history WHERE id = ?"
    assert query(settings.warehouse, versions, account.offers[0]["id"]) == [(3, 2)]
    rollback(settings, "offers", "back")
    assert query(settings.warehouse, versions, account.offers[0]["id"]) == [(2, 1)]
    assert present(settings, "offers") == three_pulls.states[1][1]["offers"]


def test_the_same_values_in_other_json_make_no_version(
    account: Account, server: Server, settings: Settings
) -> None:
    r"""Keys in another order, `\u00e9` for `é`, `\/` for `/`, 1.0 for 1: custom fields and metadata are the same.

    Another value, be it in a number of 16 digits, another order in an array, or another column is a new version.
    History begins with the first pull, by which it can be asked at once.
    """
    rows = account.contacts()
    for row in rows:
        row["custom_fields"] = CUSTOM
    for offer in account.offers:
        offer["metadata"] = CUSTOM
    rows[3]["custom_fields"] = {"big": 9_007_199_254_740_993, "share": 0.1}
    pull(settings, WITH_JSON, "r1")
    for name in WITH_JSON:
        assert as_of(settings, name, dt.datetime.now(dt.UTC)) == present(settings, name)
    server.faults.active.append(parse_fault("rewritten"))
    rows[0]["custom_fields"] = {**CUSTOM, "visits": 1.5}
    rows[1]["custom_fields"] = {**CUSTOM, "deep": {"p": 2, "q": [{"r": 3, "s": "ü"}, 1]}}
    rows[2]["send_count"] += 1
    rows[3]["custom_fields"] = {"big": 9_007_199_254_740_994, "share": 0.1}
    pull(settings, WITH_JSON, "r2")
    phone, of_list = key_of(rows[5])
    ((text,),) = query(
        settings.warehouse,
        "SELECT custom_fields::VARCHAR FROM contacts WHERE phone_number = ? AND list_id = ?",
        phone,
        of_list,
    )
    assert "\\u00e9" in text
    assert "a\\/b" in text
    assert '"visits": 1.0' in text
    assert json.loads(text) == CUSTOM
    ended = "SELECT phone_number, list_id FROM contacts_history WHERE valid_to IS NOT NULL"
    assert sorted(query(settings.warehouse, ended)) == sorted(map(key_of, rows[:4]))
    assert query(settings.warehouse, "SELECT count(valid_to) FROM offers_history") == [(0,)]


def test_what_is_listed_is_what_the_pages_name(moved: tuple[Account, Settings]) -> None:
    """No internal schema shows, and every table and view is in the data dictionary."""
    _, settings = moved
    schemas = "SELECT schema_name FROM information_schema.schemata WHERE catalog_name = current_database()"
    found = {name for (name,) in query(settings.warehouse, schemas)} - {"information_schema", "pg_catalog"}
    assert found == {"main", "quarantine", "sync", "imports", "marts"}
    page = (Path(__file__).parents[3] / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    tables = "SELECT table_schema, table_name FROM information_schema.tables"
    for schema, name in query(settings.warehouse, tables):
        assert schema == "quarantine" or f"### {name}\n" in page or f"`{name}`" in page, (schema, name)


def test_a_snapshots_file_is_where_its_path_says(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sync.snapshots.path` is relative to the data directory; DuckDB reads the rows of earlier pulls from it."""
    folder = pulled.beginning.data_dir
    monkeypatch.chdir(folder)
    with duckdb.connect("warehouse.duckdb", read_only=True) as connection:
        contacts = "FROM sync.snapshots WHERE dataset = 'contacts'"
        connection.execute(f"SET VARIABLE files = (SELECT list(path ORDER BY snapshot) {contacts})")
        counted = (
            "SELECT count(*) FROM read_parquet(getvariable('files')) GROUP BY snapshot ORDER BY snapshot"
        )
        assert connection.execute(counted).fetchall() == [(150,), (149,), (149,)]
        quarantined = connection.execute("SELECT quarantine_path FROM sync.snapshots").fetchall()
    assert len(quarantined) == 3 * len(CHANGED)
    assert all((folder / path).exists() for (path,) in quarantined)


@pytest.mark.usefixtures("three_pulls")
def test_rows_of_before_their_history_begin_it(account: Account, settings: Settings) -> None:
    """Lists that a version without their history published are its first versions, and what changes then shows."""
    with replacing(settings.warehouse) as connection:
        connection.execute(
            "DELETE FROM sync.history_began; DELETE FROM sync.lists_ended; DELETE FROM sync.lists_since"
        )
    account.lists[0]["list_name"] = "renamed again"
    pull(settings, ["lists"], "r4")
    versions = "SELECT list_name = 'renamed again' FROM lists_history WHERE id = ? ORDER BY valid_from"
    assert query(settings.warehouse, versions, account.lists[0]["id"]) == [(False,), (True,)]
    assert as_of(settings, "lists", dt.datetime.now(dt.UTC)) == present(settings, "lists")


@pytest.mark.usefixtures("three_pulls")
def test_a_history_that_an_earlier_version_kept_is_taken_over(settings: Settings) -> None:
    """Version 2 had contacts' versions in a schema `history`; no version of them is lost."""
    versions = (
        "SELECT * FROM contacts_history WHERE valid_to IS NOT NULL OR valid_from > (FROM x) ORDER BY ALL"
    )
    versions = versions.replace("(FROM x)", "(SELECT min(valid_from) FROM contacts_history)")
    before = query(settings.warehouse, versions)
    assert len(before) == 3
    with replacing(settings.warehouse) as connection:
        connection.execute(
            "CREATE SCHEMA history; CREATE TABLE history.closed AS FROM sync.contacts_ended;"
            "CREATE TABLE history.opened AS FROM sync.contacts_since;"
            "CREATE TABLE history.began AS SELECT began_at FROM sync.history_began WHERE dataset = 'contacts';"
            "DROP TABLE sync.contacts_ended; DROP TABLE sync.contacts_since; DROP TABLE sync.history_began;"
            "UPDATE sync.version SET version = 2"
        )
    publish(settings, [])
    assert query(settings.warehouse, versions) == before
    assert query(
        settings.warehouse, "SELECT count(*) FROM duckdb_schemas() WHERE schema_name = 'history'"
    ) == [(0,)]
