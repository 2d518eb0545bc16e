"""An operator's whole way with history as people have it: plan, correct, push, read the rejects, push again."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Done

from pipelines.sandbox import Account

Sync = Callable[..., Done]
Row = dict[str, Any]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The folder that history is read from."""
    folder = tmp_path / "data" / "history"
    folder.mkdir(parents=True)
    return folder


def ndjson(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def rejected(sync: Sync, *more: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(sync("rejects", *more, "--csv").stdout)))


def send(account: Account, number: int, **more: Any) -> Row:
    contact = account.contacts()[number]
    return {
        "id": f"m{number}",
        "to_number": contact["phone_number"],
        "timestamp": "2024-05-01T10:00:00Z",
        "list_number": contact["list_number"],
        "message": f"Hi Anna {number}",
        **more,
    }


def test_from_the_plan_to_the_account(sync: Sync, account: Account, history: Path) -> None:
    """Each step says what to do next, also by its exit code; what arrives is what the corrected files say."""
    account.revenue.clear()
    offer = next(str(offer["id"]) for offer in account.offers if offer["status"] == "active")
    good = [send(account, number) for number in range(4)]
    other = {**good[0], "message": "=cmd()"}
    ndjson(history / "sends-a.ndjson", [*good, send(account, 4, timestamp="5/1/24 10:00")])
    ndjson(history / "sends-b.ndjson", [other, send(account, 5, to_number="555-0199")])
    sale = {"message_id": "m1", "offer_id": offer, "revenue": 5, "timestamp": "2024-06-01T00:00:00Z"}
    ndjson(history / "revenue.ndjson", [sale])
    ndjson(history / "revenue (1).ndjson", [sale])

    plan = sync("push", "--dry-run")
    assert plan.returncode == 0
    shown = " ".join(plan.stdout.split())
    for words in (
        "sends-a.ndjson: 5 rows (ndjson, UTF-8",
        "line 5 (m4), timestamp '9/9/99 99:99'",
        "line 1 (m0), id 'x9': sends-a.ndjson line 1 and sends-b.ndjson line 1",
        "line 2 (m5), to_number '999-9999'",
        "was not checked, since none were pulled: trackly-sync pull lists",
        "revenue (1).ndjson and revenue.ndjson are equal, byte for byte",
        "from 2024-06-01 00:00:00 UTC",
        "A push would end with exit code 3: 6 of 9 rows left out, 0 that differ",
    ):
        assert words in shown
    for personal in ("Anna", "555-0199", good[0]["to_number"]):
        assert personal not in plan.stdout
    assert max(map(len, plan.stdout.splitlines())) <= 80
    shown = sync("push", "--dry-run", "--json", "--show-values").stdout
    assert "555-0199" in shown
    document = json.loads(shown)
    assert [document[name]["exit_code"] for name in ("sends", "clicks", "revenue")] == [3, 0, 3]
    conflicts = [
        (Path(file["path"]).name, example["line"])
        for file in document["sends"]["files"]
        for group in file["groups"]
        if group["code"] == "conflict"
        for example in group["examples"]
    ]
    assert conflicts == [("sends-a.ndjson", 1), ("sends-b.ndjson", 1)]
    assert {path.name for path in history.parent.iterdir()} == {"history"}, "a plan leaves nothing behind"

    first = sync("push", "sends", "revenue")
    assert first.returncode == 3
    assert account.sends.keys() == {"m1", "m2", "m3"}
    assert not account.revenue
    rows = rejected(sync)
    assert [(row["identity"], Path(row["file"]).name, row["line"], row["code"]) for row in rows[:4]] == [
        ("m0", "sends-a.ndjson", "1", "conflict"),
        ("m4", "sends-a.ndjson", "5", ""),
        ("m0", "sends-b.ndjson", "1", "conflict"),
        ("m5", "sends-b.ndjson", "2", ""),
    ]
    assert {row["code"] for row in rows[4:]} == {"same_rows"}
    assert not [value for row in rows for value in row.values() if "Anna" in value or "555-0199" in value]
    (cell,) = {row["raw"] for row in rejected(sync, "sends", "--show-values") if row["identity"] == "m5"}
    assert json.loads(cell)["to_number"] == "555-0199"
    assert len(rejected(sync, "sends", "--outcome", "conflict")) == 2

    # corrected: the conflict by an id of its own, the others by their values
    corrected = [send(account, 4), {**other, "id": "b-m0"}, send(account, 5)]
    ndjson(history / "sends-a.ndjson", [*good, corrected[0]])
    ndjson(history / "sends-b.ndjson", corrected[1:])
    second = sync("push", "sends", "revenue")
    assert second.returncode == 3, "the sale in two files is still to be decided"
    wanted = {row["id"]: row for row in [*good, *corrected]}
    assert {key: {name: row[name] for name in wanted[key]} for key, row in account.sends.items()} == wanted
    assert sync("push", "--same-rows-once").returncode == 2, "a decision needs a reason"
    third = sync("push", "revenue", "--same-rows-once", "--reason", "the same export, saved twice")
    assert (third.returncode, "Nothing was decided" in third.stderr) == (0, False)
    assert [(row["message_id"], row["revenue"]) for row in account.revenue] == [("m1", 5)]
    assert rejected(sync) == []
    again = sync("push", "revenue", "--same-rows-count", "--reason", "nothing is held")
    assert (again.returncode, "Nothing was decided" in again.stderr) == (0, True), "the decision is kept"
    assert len(account.revenue) == 1

    # what changes later is reported, and the account keeps what it has
    ndjson(history / "sends-b.ndjson", [{**corrected[1], "message": "new"}, corrected[2]])
    assert sync("push", "sends").returncode == 3
    assert account.sends["b-m0"]["message"] == "=cmd()"
    assert "1 row of sends differs from what was sent" in sync("status").stdout
    (row,) = rejected(sync, "--outcome", "differs")
    assert (row["outcome"], row["identity"], row["line"]) == ("differs", "b-m0", "1")
    (listed,) = json.loads(sync("resolve", "--differs", "--json").stdout)
    assert (listed["identity"], listed["line"], listed["acknowledged"]) == ("b-m0", 1, False)
    assert listed["fields"] == ["message"]
    assert sync("resolve", "--differs", "sends", "--reason", "a text that was corrected").returncode == 0
    assert "differs" not in sync("status").stdout
    assert rejected(sync) == []
    plan = json.loads(sync("push", "sends", "--dry-run", "--json").stdout)["sends"]
    assert (plan["differs"], plan["differs_acknowledged"], plan["exit_code"]) == (0, 1, 0)


def test_a_push_counts_what_earlier_ones_left_out_by_itself(
    sync: Sync, account: Account, tmp_path: Path
) -> None:
    """The table is of the whole input; the line of the run of what it did, and it names the difference."""
    contact = account.contacts()[0]
    send = {"to_number": contact["phone_number"], "list_id": contact["list_id"], "timestamp": "2024-05-01"}
    rows = [
        {**send, "id": "m1"},
        {**send, "id": "m2", "list_id": 99999},
        {**send, "id": "m3", "timestamp": "x"},
    ]
    folder = tmp_path / "data" / "history"
    folder.mkdir(parents=True)
    (folder / "sends.ndjson").write_text("\n".join(map(json.dumps, rows)))
    assert sync("push", "sends").stdout.count("This run: 2 sent, 1 accepted, 2 left out.\n") == 1
    again = sync("push", "sends").stdout
    assert "2 rows of sends left out (1 rejected, 1 quarantined)" in again
    assert (
        "This run: 0 sent, 0 accepted, 1 left out. Earlier ones left out 1 row more, counted above" in again
    )
