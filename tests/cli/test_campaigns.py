"""Pulls of campaigns at the terminal: what is not served, sizes on request, and an account of v1."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Done
from gateways import nginx

from pipelines.sandbox import Account, Server

GUIDE = "/api-reference/v2/migration-guide"


def test_what_is_not_served_is_left_out_unless_it_was_asked_for(
    sync: Callable[..., Done], account: Account
) -> None:
    """A pull of everything tells it and ends well; one by name fails with a remedy."""
    account.options.unserved = ("creatives",)
    done = sync("pull", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "404" in found["creatives"]["skipped"]
    assert found["schedules"]["rows"] == len(account.schedules)
    done = sync("pull", "creatives")
    assert done.returncode == 1
    assert "/api/v2" in done.stderr


def test_sizes_are_counted_where_somebody_asks(sync: Callable[..., Done], account: Account) -> None:
    """It says that it writes to the account, and the sizes are in what is pulled then."""
    for row in account.audiences:
        row["cached_size"] = None
    done = sync("pull", "audiences", "--measure", TRACKLY_MEASURE_PAUSE_SECONDS="0")
    assert done.returncode == 0, done.stderr
    assert "writes to the account" in " ".join(done.stderr.split())
    active = [row for row in account.audiences if row["status"] != "archived"]
    assert active
    assert all(row["cached_size"] is not None for row in active)
    assert sync("pull", "lists", "--measure").returncode == 2


@pytest.mark.usefixtures("pulled")
def test_an_account_of_v1_is_recognized_by_its_replies(
    sync: Callable[..., Done], account: Account, server: Server, tmp_path: Path
) -> None:
    """Pull, push and doctor say where v2 is, and no row counts as sent."""
    history = tmp_path / "data" / "history"
    history.mkdir(parents=True)
    row = {
        "id": "one",
        "to_number": account.contacts()[0]["phone_number"],
        "timestamp": "2024-01-01T00:00:00Z",
    }
    row["list_number"] = account.lists[0]["phone_number"]
    (history / "sends.ndjson").write_text(json.dumps(row) + "\n", encoding="utf-8")
    with nginx(server.url, "/api/v2/", 'add_header Deprecation "true" always;') as marked:
        for command in (("pull", "lists"), ("push", "sends"), ("doctor",)):
            done = sync(*command, TRACKLY_BASE_URL=marked.url)
            assert done.returncode == 2, done.stderr
            assert GUIDE in "".join((done.stdout + done.stderr).split())
    assert json.loads(sync("status", "--json").stdout)["push"]["sends"]["accepted"] == 0
