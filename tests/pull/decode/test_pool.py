"""Pulls whose replies are read by two processes in turn, as those of large accounts are; here pages are small."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from oracle import followed, query, same, shown

from pipelines.errors import StorageError
from pipelines.pull import endpoints
from pipelines.pull import snapshot as module
from pipelines.pull.decode import pool
from pipelines.pull.read import chain
from pipelines.pull.run import pull
from pipelines.sandbox import Account, Server, drifting, parse_fault, running, seed_account
from pipelines.settings import Settings

FAULTS = [
    f"{kind},times=3,skip=5,path=contacts" for kind in ("503", "reset-after", "truncate", "html", "repeat")
]


@pytest.fixture(params=[0.0, 0.3, 0.7], ids=["child", "most by the child", "most here"])
def two(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The child is there from the second reply on; at random one is read here. What was decided is returned."""
    chance = random.Random(7)
    decided: list[bool] = []

    def is_busy(_: object) -> bool:
        decided.append(chance.random() < request.param)
        return decided[-1]

    monkeypatch.setattr(pool, "ROWS_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(pool._Child, "is_busy", property(is_busy))
    monkeypatch.setattr(chain, "_LONG", 1)
    monkeypatch.setattr(module, "BATCH_ROWS", 400)
    monkeypatch.setitem(endpoints.ENDPOINTS, "contacts", replace(endpoints.CONTACTS, largest=60))
    return decided


def test_a_quiet_account_arrives_equal(two: list[bool], account: Account, settings: Settings) -> None:
    """Every contact arrives field by field, by either process, and in the order of reading no row is kept twice."""
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    assert snapshot.manifest.consistency == "exact"
    assert len(two) > 40
    pages = query(settings.warehouse, "SELECT page, rows, digest FROM sync.pages ORDER BY page")
    assert [page for page, _, _ in pages] == list(range(1, len(pages) + 1))
    assert sum(rows for _, rows, _ in pages) > 2500


def test_unknown_fields_and_bad_rows_are_told_apart(
    two: list[bool], account: Account, settings: Settings
) -> None:
    """Rows of every shape end where they belong, whoever has read them, also where two replies share them."""
    rows = account.contacts()
    for row in rows[100:700:3]:
        row["loyalty"] = 1
    for row in rows[1000:1050]:
        row["send_count"] = "many"
    rows[1500]["click_count"] = -1
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert two
    assert (snapshot.manifest.rows, snapshot.manifest.quarantined) == (2449, 51)
    assert snapshot.manifest.consistency == "exact"
    assert snapshot.manifest.unknown_fields == "loyalty"
    extra = "SELECT count(*), count(DISTINCT phone_number) FROM contacts WHERE extra IS NOT NULL"
    assert query(settings.warehouse, extra) == [(200, 200)]


@pytest.mark.parametrize("seed", range(4))
def test_every_contact_that_stayed_is_there_once(
    two: list[bool], tmp_path: Path, settings_of: Callable[..., Settings], seed: int
) -> None:
    """While contacts sign up, go and change, no one that stayed is missed or doubled, and the later version stays."""
    account = seed_account(contacts=2_000, seed=seed)
    stayed, ever = followed(account, drifting(0.3, seed))
    with running(account) as server:
        (snapshot,) = pull(settings_of(server.url, tmp_path / "data"), ["contacts"], "r1")
    found = query(tmp_path / "data" / "warehouse.duckdb", "SELECT phone_number, list_id FROM contacts")
    assert two
    assert len(found) == len(set(found))
    assert set(found) <= ever
    assert stayed <= set(found) or snapshot.manifest.consistency == "fuzzy"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_leaves_no_trace(
    two: list[bool], account: Account, server: Server, settings: Settings, fault: str
) -> None:
    """What one of the two cannot read is asked for again, and all arrive equal."""
    server.faults.active.append(parse_fault(fault))
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert two
    assert snapshot.manifest.retries == 3
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")


@pytest.mark.usefixtures("two")
def test_a_child_that_is_killed_leaves_what_was_there(
    account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pull fails in one line, the published tables stay, and the next pull succeeds."""
    pull(settings, ["contacts"], "r1")
    before = settings.warehouse.read_bytes()
    real, asked = pool._Child.ask, 0

    def ask(self: Any, verb: str, *arguments: object) -> Any:
        nonlocal asked
        asked += 1
        if asked == 9:
            self._process.kill()
        return real(self, verb, *arguments)

    with monkeypatch.context() as deadly:
        deadly.setattr(pool._Child, "ask", ask)
        with pytest.raises(StorageError, match="The process that decodes rows was killed"):
            pull(settings, ["contacts"], "r2")
    assert settings.warehouse.read_bytes() == before
    account.contacts()[3]["send_count"] += 1
    pull(settings, ["contacts"], "r3")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
