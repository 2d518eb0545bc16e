"""Keys that occur several times: equal rows are duplicates, rows that differ are held back."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from effort import examples
from histories import write_rows
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from oracle import query

from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import plan as plan_push
from pipelines.push.run import push
from pipelines.sandbox import Account, running, seed_account
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]


def held(settings: Settings, code: str) -> list[tuple[str, int, str]]:
    """Name of the file, row and reason of what is held back for this code."""
    found = query(
        settings.warehouse,
        "SELECT file, row, reason FROM imports.records WHERE in_input AND code = ? ORDER BY file, row",
        code,
    )
    return [(Path(file).name, row, reason) for file, row, reason in found]


@pytest.mark.parametrize("either", ["postgresql"], indirect=True)  # SQLite below
def test_one_key_with_other_content_is_held_back_whole(
    account: Account, either: Settings, some_sends: Some, offer: str
) -> None:
    """All rows of the key are quarantined with both places; equal ones are duplicates; the others are sent.

    Clicks of one message may differ in their time only: several are one, the earliest; those on two offers contradict
    each other.
    """
    rows = some_sends(5)
    other = {**rows[1], "message": "another"}
    for name, some in (("a", rows), ("b", [rows[0], other, rows[3], other])):
        write_rows(either.history / f"sends-{name}.ndjson", some)
    offers = [o["id"] for o in account.offers if o["id"] != offer and o["status"] == "active"]
    click = {"offer_id": offer, "phone_number": "+15551234567", "timestamp": "2024-05-03"}
    first, second = {**click, "message_id": "m000000"}, {**click, "message_id": "m000002"}
    write_rows(either.history / "clicks-a.ndjson", [first, second])
    earlier = {**first, "timestamp": "2024-05-02"}
    write_rows(either.history / "clicks-b.ndjson", [earlier, {**second, "offer_id": offers[0]}])
    report = push(either, ["sends", "clicks"])
    assert report.outcomes["sends"] == Outcomes(9, accepted=4, duplicate=2, quarantined=3)
    assert set(account.sends) == {"m000000", "m000002", "m000003", "m000004"}
    found = [one for one in held(either, "conflict") if one[0].startswith("sends")]
    assert [(name, row) for name, row, _ in found] == [
        ("sends-a.ndjson", 2), ("sends-b.ndjson", 2), ("sends-b.ndjson", 4)
    ]  # fmt: skip
    for _, _, reason in found:
        assert "sends-a.ndjson" in reason
        assert "sends-b.ndjson" in reason
        assert "another" not in reason
    assert report.reasons["sends"] == {
        "quarantined: id: rows that differ have the same id": 3,
        "duplicate: the input repeats it: a row before it has the same id": 2,
    }
    assert report.outcomes["clicks"] == Outcomes(4, accepted=1, duplicate=1, quarantined=2)
    assert account.clicks["m000000"]["timestamp"] == "2024-05-02T00:00:00Z"
    assert set(account.clicks) == {"m000000"}


def test_two_exports_that_number_from_1_are_found_before_anything_is_sent(
    account: Account, settings: Settings, write: Write, some_sends: Some
) -> None:
    """Nothing of either is sent, also not what only the longer one has; prefixed, all of it arrives.

    A row that was sent is in the account, whatever comes later under its key; what differs is held back.
    """
    rows = some_sends(55)
    first = [{**row, "id": str(n)} for n, row in enumerate(rows[:30], 1)]
    second = [{**row, "id": str(n)} for n, row in enumerate(rows[30:], 1)]
    write("sends-eu.ndjson", first)
    write("sends-us.ndjson", second)
    report = push(settings, ["sends"])
    assert report.outcomes["sends"] == Outcomes(55, quarantined=50, parked=5)
    (advice,) = report.intakes["sends"].advice
    assert "sends-eu.ndjson and sends-us.ndjson use the same id" in advice
    assert not account.sends
    records = "SELECT outcome, count(*) FROM imports.records GROUP BY ALL ORDER BY ALL"
    assert query(settings.warehouse, records) == [("parked", 5), ("quarantined", 50)], (
        "also before the first call"
    )
    write("sends-us.ndjson", [{**row, "id": f"us-{row['id']}"} for row in second])
    write("sends-b.ndjson", rows[:3])
    assert push(settings, ["sends"]).outcomes["sends"] == Outcomes(58, accepted=58)

    write("sends-a.ndjson", [{**rows[0], "message": "new"}, rows[1]])
    report = push(settings, ["sends"])
    assert report.outcomes["sends"] == Outcomes(60, accepted=58, duplicate=1, quarantined=1)
    assert [(name, row) for name, row, _ in held(settings, "conflict")] == [("sends-a.ndjson", 1)]
    assert "message" not in account.sends["m000000"]
    assert push(settings, ["sends"]).outcomes == report.outcomes


@st.composite
def _files(draw: st.DrawFn) -> list[list[Row]]:
    """Some files of sends; few keys and few contents, so that they repeat."""
    row = st.fixed_dictionaries(
        {"id": st.sampled_from("abcdef"), "message": st.sampled_from(["x", "y", None])}
    )
    return draw(st.lists(st.lists(row, max_size=6), min_size=1, max_size=3))


@hypothesis_settings(max_examples=examples(2), suppress_health_check=list(HealthCheck))
@given(files=_files(), later=_files())
def test_whatever_repeats_what_arrives_is_what_the_files_say(
    files: list[list[Row]], later: list[list[Row]], tmp_path_factory: pytest.TempPathFactory,
    settings_of: Callable[..., Settings],
) -> None:  # fmt: skip
    """Of any files, in any formats: keys with one content arrive once, others not, and the outcomes add up."""
    account = seed_account(contacts=5)
    contact = account.contacts()[0]
    folder = tmp_path_factory.mktemp("any") / "data"
    sent: dict[str, str | None] = {}
    with running(account) as server:
        settings = settings_of(server.url, folder)
        settings.history.mkdir(parents=True)
        for some in (files, later):
            for path in settings.history.iterdir():
                path.unlink()
            for number, rows in enumerate(some):
                _write(settings.history / f"sends-{number}", rows, contact, number % 2 == 1)
            contents: dict[str, set[str | None]] = {}
            everything = [row for rows in some for row in rows]
            for row in everything:
                contents.setdefault(row["id"], set()).add(row["message"])
            counts = Counter(_oracle(everything, contents, sent))
            for key, values in contents.items():
                if len(values) == 1 and key not in sent:
                    (sent[key],) = values
            done = push(settings, ["sends"])
            assert done.outcomes["sends"] == Outcomes(len(everything), **counts)
            assert outcomes(settings)["sends"] == done.outcomes["sends"]
            assert {key: row.get("message") for key, row in account.sends.items()} == sent
            differing = [
                key for key, values in contents.items() if len(values) == 1 and {sent[key]} != values
            ]
            assert done.differing["sends"] == len(differing)


def _oracle(rows: list[Row], contents: dict[str, set[str | None]], sent: dict[str, str | None]) -> list[str]:
    """The outcome of each row, by counting."""
    seen: set[str] = set()
    found = []
    for row in rows:
        key = row["id"]
        kept = len(contents[key]) == 1 or (key in sent and sent[key] == row["message"])
        found.append("quarantined" if not kept else "duplicate" if key in seen else "accepted")
        if kept:
            seen.add(key)
    return found


def _write(path: Path, rows: list[Row], contact: Row, as_csv: bool) -> None:
    whole = [
        {
            **row,
            "to_number": contact["phone_number"],
            "list_id": contact["list_id"],
            "timestamp": "2024-05-01",
        }
        for row in rows
    ]
    if not as_csv:
        lines = (json.dumps(row) + "\n" for row in whole)
        path.with_suffix(".ndjson").write_text("".join(lines))
        return
    with path.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "to_number", "list_id", "timestamp", "message"])
        writer.writeheader()
        writer.writerows(whole)


def test_rows_of_one_line_are_distinguished_by_their_numbers(tmp_path: Path) -> None:
    """Elements of a JSON array may all stand in its first line."""
    history = tmp_path / "history"
    history.mkdir()
    rows = [
        {"id": one, "to_number": "+12000000000", "timestamp": "2024-05-01", "list_id": 1, "message": text}
        for one, text in (("a", "x"), ("k", "one"), ("k", "two"))
    ]
    (history / "sends.json").write_text(json.dumps(rows))
    settings = Settings(data_dir=tmp_path / "data", history_dir=history)
    (file,) = plan_push(settings, ["sends"]).plans["sends"].files
    (conflict,) = [group for group in file.groups if group.code == "conflict"]
    assert {example.places for example in conflict.examples} == {
        "sends.json row 2 and sends.json row 3",
        "sends.json row 3 and sends.json row 2",
    }
