"""`rollback` and `replay` list what there is and show what they would do, for people and for programs."""

import inspect
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.cli.commands.rollback import replay, rollback
from pipelines.cli.commands.status import status
from pipelines.errors import NothingYetError, UsageError
from pipelines.pull.run import pull
from pipelines.sandbox import Account, seed_account
from pipelines.settings import Settings
from pipelines.warehouse.published import published

Shown = Callable[..., str]


@pytest.fixture
def account() -> Account:
    """A small account."""
    return seed_account(contacts=40)


@pytest.fixture
def shown(settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shown:
    """What a command shows, run in this process with the settings' data directory."""
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(settings.data_dir))

    def show(command: Callable[..., Any], *arguments: str, **options: Any) -> str:
        inspect.unwrap(command)(*arguments, **options)
        return capsys.readouterr().out

    return show


def test_what_there_is_and_what_would_be_done(account: Account, settings: Settings, shown: Shown) -> None:
    """The list without an argument, the plan with --dry-run, which changes nothing, and both as JSON."""
    assert "no snapshot yet" in shown(rollback)
    assert "Nothing was pulled yet" in shown(replay)
    (first,) = pull(settings, ["lists"], "r1")
    account.lists[0]["contact_count"] = -1
    (second,) = pull(settings.model_copy(update={"pull_bad_share": 1.0}), ["lists"], "r2")
    old, new, number = first.manifest.snapshot, second.manifest.snapshot, len(account.lists)

    rows = [
        (row["snapshot"], row["rows"], row["published"]) for row in json.loads(shown(rollback, as_json=True))
    ]
    assert rows == [(new, number - 1, True), (old, number, False)]
    lines = [line.split()[:2] for line in shown(rollback).splitlines()]
    assert lines[1:3] == [["lists", new], ["lists", old]]
    assert shown(rollback, "lists", dry_run=True).startswith("Would publish lists")
    planned = json.loads(shown(rollback, "lists", dry_run=True, as_json=True))
    assert (planned["snapshot"], planned["rows"], planned["published"]) == (old, number, False)
    now = planned["published_now"]["lists"]
    assert (now["snapshot"], now["rows"], now["quarantined"]) == (new, number - 1, 1)
    assert json.loads(shown(replay, as_json=True)) == [
        {"dataset": "lists", "snapshot": new, "quarantined": 1}
    ]
    assert "1 row quarantined" in shown(replay)
    plan = {"dataset": "lists", "passed": 0, "quarantined": 1, "published": False}
    assert json.loads(shown(replay, "lists", dry_run=True, as_json=True)) == plan
    assert "Nothing was changed." in shown(replay, "lists", dry_run=True)
    assert published(settings.warehouse)["lists"].snapshot == new, "nothing was changed"

    done = json.loads(shown(rollback, "lists", as_json=True))
    assert (done["snapshot"], done["published"], done["published_before"]["lists"]) == (old, True, now)
    assert published(settings.warehouse)["lists"].snapshot == old
    with pytest.raises(NothingYetError, match=f"{old}, is the earliest on disk") as refused:
        shown(rollback, "lists")
    assert refused.value.remedy.endswith(f"trackly-sync rollback lists --to {new}")
    assert f"lists was rolled back: published is {old} of " in shown(status)
    (stated,) = json.loads(shown(status, as_json=True))["rolled_back"].items()
    assert (stated[0], stated[1]["snapshot"], stated[1]["newest"]) == ("lists", old, new)
    shown(rollback, "lists", to=new)
    assert "rolled_back" not in json.loads(shown(status, as_json=True))
    assert "rolled back" not in shown(status)
    for command in (rollback, replay):
        with pytest.raises(UsageError, match="No dataset"):
            shown(command, dry_run=True)


def test_every_table_that_changes_is_named(account: Account, settings: Settings, shown: Shown) -> None:
    """Revenue that is made of contacts' totals goes with them: with --dry-run, and when it is done."""
    pull(settings, ["contacts"], "r1")
    oldest = pull(settings, ["revenue"], "r2")[-1].manifest.snapshot
    rows = published(settings.warehouse)["revenue"].rows
    next(iter(account.contacts()))["revenue_total"] += 5
    newest = pull(settings, ["contacts", "revenue"], "r3")[1].manifest.snapshot
    planned = json.loads(shown(rollback, "contacts", dry_run=True, as_json=True))
    assert planned["published_now"]["revenue"]["rows"] == rows + 1
    assert planned["together"] == {"revenue": rows + 2}, "what came, and that it has gone again"
    assert f"Would make revenue again, of their totals: {rows + 2} rows" in shown(
        rollback, "contacts", dry_run=True
    )
    assert published(settings.warehouse)["revenue"].rows == rows + 1, "nothing was changed"
    done = shown(rollback, "contacts")
    assert f"revenue with it: {rows + 2} rows" in done
    assert re.search(r"as of \d{4}-\d\d-\d\d \d\d:\d\d UTC", done)
    assert published(settings.warehouse)["revenue"].rows == rows + 2
    assert "Would publish the contacts it is made of: 40 rows" in shown(
        rollback, "revenue", to=newest, dry_run=True
    )
    done = json.loads(shown(rollback, "revenue", to=newest, as_json=True))
    assert (done["rows"], done["together"]) == (rows + 1, {"contacts": 40})
    assert "contacts was rolled back" not in shown(status), "they are the newest"
    shown(rollback, "revenue", to=oldest)
    both = "contacts was rolled back: published is .*revenue was rolled back: published is "
    assert re.search(both, shown(status), re.DOTALL)
