"""With hashed phone numbers, none of a history file is kept or shown, in whatever form and place it stands there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from commands import Done

from pipelines.sandbox import Account

Sync = Callable[..., Done]
SECRET = "a secret that nobody can guess"  # noqa: S105 - the tests' own
NATIONAL = "(200) 000-0017"
FORMS = (
    "+12000000017",
    "12000000017",
    "2000000017",
    NATIONAL,
    "200-000-0017",
    "200.000.0017",
    "200 000 0017",
)
TIME = "2024-05-01T10:00:00Z"


def held(data: Path) -> str:
    """Everything in a data directory as one text: bytes as they are, and what compressed files hold."""
    parts = []
    for path in sorted(path for path in data.rglob("*") if path.is_file()):
        parts.append(path.read_bytes().decode("latin-1"))
        if path.suffix == ".parquet":
            parts.append(json.dumps(pq.read_table(path).to_pylist(), default=str))
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                tables = connection.execute(
                    "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal"
                ).fetchall()
                parts += [
                    json.dumps(connection.execute(f"FROM {table}").fetchall(), default=str)
                    for (table,) in tables
                ]
    return "\n".join(parts)


def numbers_in(text: str) -> list[str]:
    """The forms of the number that stand in a text."""
    return [form for form in FORMS if form in text]


def rows(account: Account) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Sends and revenue with a number wherever one may stand by mistake."""
    contact = account.contacts()[0]
    good = {"to_number": contact["phone_number"], "timestamp": TIME, "list_number": contact["list_number"]}
    sends = [
        {**good, "id": "number", "to_number": 12000000017},
        {**good, "id": "float", "to_number": 12000000017.0},
        *({**good, "id": f"form{n}", "to_number": form} for n, form in enumerate(FORMS[1:])),
        {**good, "id": "valid", "to_number": FORMS[0]},
        {**good, "id": "refused", "to_number": FORMS[0], "message": f"call {NATIONAL}"},
        {**good, "id": "in-message", "message": f"call {NATIONAL} or 2000000017"},
        {
            **good,
            "id": "bad-time",
            "timestamp": "2000000017",
            "message": f"call {NATIONAL}",
            "mobile": "2000000017",
        },
        {**good, "id": "bad-time-2", "timestamp": NATIONAL},
        {**good, "id": "bad-list", "list_number": "2000000017"},
        {**good, "id": "bad-list-2", "list_number": None, "list_id": 2000000017},
        {**good, "id": "bad-length", "length": -2000000017},
        {**good, "id": "type", "send_type": NATIONAL},
        {**good, "id": "both", "message": "one"},
        {**good, "id": "both", "message": f"call {NATIONAL}"},
        {**good, "id": "unknown", "phone": FORMS[0], "note": {"call": [NATIONAL, 2000000017]}},
    ]
    offer = next(str(offer["id"]) for offer in account.offers if offer["status"] == "active")
    sale = {"message_id": "type", "offer_id": offer, "timestamp": TIME}
    revenue = [
        {**sale, "record_id": "negative", "revenue": -2000000017},
        {**sale, "record_id": "phone", "revenue": FORMS[0] + "x"},
        {
            **sale,
            "record_id": "orphan",
            "message_id": "never",
            "revenue": 1,
            "attribution_type": "2000000017",
        },
    ]
    return sends, revenue


@pytest.fixture
def more(account: Account, tmp_path: Path) -> dict[str, str]:
    """The settings; the history lies outside of the data directory."""
    history = tmp_path / "history"
    history.mkdir()
    sends, revenue = rows(account)
    lines = [json.dumps(row) for row in sends]
    lines += [f'{{"id": "broken", "to_number": "{NATIONAL}"', f'["{FORMS[0]}"]']
    (history / "sends.ndjson").write_text("\n".join(lines) + "\n")
    (history / "sends.csv").write_text(
        "id,to_number,timestamp,list_number\n"
        f"many,{FORMS[0]},{TIME},{sends[0]['list_number']},{NATIONAL},2000000017\n"
        f"few,{NATIONAL}\n"
    )
    (history / "revenue.ndjson").write_text("".join(json.dumps(row) + "\n" for row in revenue))
    return {"TRACKLY_HISTORY_DIR": str(history), "TRACKLY_HASH_PHONES": SECRET}


@pytest.mark.parametrize("pulled", [True, False])
def test_no_form_of_a_number_is_kept_or_shown(
    sync: Sync, account: Account, more: dict[str, str], tmp_path: Path, pulled: bool
) -> None:
    """Not in the data directory, not in what commands print, also where values are asked for."""

    def refuse(_entity: str, record: dict[str, Any]) -> tuple[str, str] | None:
        return ("invalid_phone", f"{record['to_number']}: no") if record.get("id") == "refused" else None

    account.refuse = refuse
    if pulled:
        assert sync("pull", "contacts", "lists", "offers", **more).returncode == 0
        done = sync("push", "sends", "revenue", "--dry-run", **more)
        assert done.returncode == 0
        assert numbers_in(done.stdout + done.stderr) == []
    else:  # what is no list is only known once lists were pulled; before, it is kept as a list's number
        path = tmp_path / "history" / "sends.ndjson"
        kept = [line for line in path.read_text().splitlines(keepends=True) if "bad-list" not in line]
        path.write_text("".join(kept))
    pushed = sync("push", "sends", "revenue", **more)
    assert pushed.returncode == 3
    assert numbers_in(pushed.stdout + pushed.stderr) == []
    assert account.sends["in-message"]["message"] == f"call {NATIONAL} or 2000000017", "it is sent as it is"
    assert numbers_in(held(tmp_path / "data")) == []
    found = sync("rejects", "--show-values", "--json", **more)
    assert numbers_in(found.stdout + found.stderr) == []
    more_once_pulled = (
        ["report"],
        ["rejects"],
        ["rejects", "--json"],
        ["rejects", "--csv"],
        ["rejects", "--show-values", "--csv"],
        ["status", "--json"],
        ["runs", "--json"],
    )
    for arguments in more_once_pulled if pulled else ():
        shown = sync(*arguments, **more)
        assert numbers_in(shown.stdout + shown.stderr) == [], arguments
    assert numbers_in(held(tmp_path / "data")) == [], "also after the commands"
    if pulled:
        show_what_was_wrong([row for row in json.loads(found.stdout) if row["dataset"] == "sends"])


def show_what_was_wrong(found: list[dict[str, Any]]) -> None:
    """Of a value that holds a number its form is kept; what cannot be one is kept as it is."""
    values = {row["identity"]: row["value"] for row in found}
    assert values["bad-time"] == "timestamp: 9999999999"
    assert values["bad-time-2"] == "timestamp: (999) 999-9999"
    assert values["bad-list"] == "list_number: 9999999999"
    assert values["form0"] == "to_number: 99999999999", "its form, not a hash"
    lines = [row["raw"] for row in found if row["value"] and row["value"].startswith("line:")]
    assert lines
    assert all("999" in str(line) for line in lines)
