"""What history files say of imported rows outlives the files, the stages and the warehouse."""

import datetime as dt
import os
import shutil
import stat
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from beginnings import Beginning, beginning, seeded
from histories import active_offer, sends_to, write_rows
from oracle import query
from pydantic import SecretStr

from pipelines.pull.run import pull
from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.audit.archive import rows as archive_rows
from pipelines.push.audit.archive.files import archive_folder, archived
from pipelines.push.audit.publish.lost_warehouse import publish_missing_imports
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.push.run import intake, push, send
from pipelines.sandbox import Account, running
from pipelines.settings import Settings
from pipelines.warehouse.swap import replacing
from schemas.own_tables.imports import FACTS
from schemas.registry import PUSHED

Row = dict[str, Any]
Write = Callable[..., Path]
SECRET = "a secret that nobody can guess"  # noqa: S105 - the tests' own
NAMES = [field.name for field in FACTS]


def facts(settings: Settings) -> dict[tuple[str, str], Row]:
    """What imports.records says of the rows that were sent, by dataset and message."""
    found = query(
        settings.warehouse,
        f"SELECT dataset, message_id, {', '.join(NAMES)} FROM imports.records WHERE attempt > 0",
    )
    return {(row[0], row[1]): dict(zip(NAMES, row[2:], strict=True)) for row in found}


def instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def wanted(rows: dict[str, list[Row]], messages: bool = False) -> dict[tuple[str, str], Row]:
    """The same, from the rows as they stand in the files."""
    nothing = dict.fromkeys(NAMES)
    shown = {}
    for row in rows["sends"]:
        same = {name: row.get(name) for name in ("list_number", "send_type", "delivered", "length")}
        message = {"message": row["message"] if messages else None}
        shown["sends", row["id"]] = (
            nothing
            | same
            | message
            | {
                "happened_at": instant(row["timestamp"]),
                "phone_number": row["to_number"],
            }
        )
    for row in rows["clicks"]:
        shown["clicks", row["message_id"]] = nothing | {
            "happened_at": instant(row["timestamp"]),
            "offer_id": row["offer_id"],
            "phone_number": row["phone_number"],
            "send_timestamp": instant(row["send_timestamp"]),
        }
    for row in rows["revenue"]:
        shown["revenue", row["message_id"]] = nothing | {
            "happened_at": instant(row["timestamp"]),
            "offer_id": row["offer_id"],
            "revenue": Decimal(str(row["revenue"])),
            "payout": Decimal(str(row["payout"])),
            "attribution_type": row["attribution_type"],
        }
    return shown


@pytest.fixture
def account() -> Account:
    """A small account: what is pulled of it hardly matters here."""
    return seeded(60)


def history_of(account: Account) -> dict[str, list[Row]]:
    """Six sends, four clicks and two sales with every field."""
    offer = active_offer(account)
    sends = [
        row
        | {
            "message": f"Deal {n}, call (200) 000-00{n:02}",
            "send_type": kind,
            "delivered": n != 2,
            "length": 20 + n,
        }
        for n, (row, kind) in enumerate(
            zip(sends_to(account.contacts(), 6), ("campaign", "flow") * 3, strict=True)
        )
    ]
    clicks = [
        {
            "message_id": row["id"],
            "offer_id": offer,
            "phone_number": row["to_number"],
            "timestamp": "2024-05-01T11:00:00Z",
            "send_timestamp": row["timestamp"],
        }
        for row in sends[:4]
    ]
    revenue = [
        {
            "message_id": row["id"],
            "offer_id": offer,
            "revenue": 10.5,
            "payout": 2.25,
            "timestamp": "2024-05-02T10:00:00Z",
            "attribution_type": "sale",
        }
        for row in sends[:2]
    ]
    return {"sends": sends, "clicks": clicks, "revenue": revenue}


@pytest.fixture
def rows(account: Account) -> dict[str, list[Row]]:
    """The rows of every file."""
    return history_of(account)


@pytest.fixture(scope="module")
def all_pushed(tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]) -> Beginning:
    """All files were pushed, and are there; messages are kept."""

    def make(folder: Path) -> Account:
        account = seeded(60)
        with running(account) as server:
            settings = settings_of(server.url, folder / "data", keep_messages=True)
            for name, rows in history_of(account).items():
                write_rows(settings.history / f"{name}.ndjson", rows)
            push(settings, list(PUSHED))
        return account

    return beginning(tmp_path_factory, "all-pushed", make)


@pytest.fixture
def pushed(account: Account, settings: Settings, all_pushed: Beginning) -> Settings:
    """All files were pushed, and are there; settings with which messages are kept."""
    all_pushed.restore(account, settings)
    return settings.model_copy(update={"keep_messages": True})


@pytest.fixture
def written(write: Write, rows: dict[str, list[Row]]) -> Callable[[], None]:
    """Write all files."""

    def all_files() -> None:
        for name in PUSHED:
            write(f"{name}.ndjson", rows[name])

    return all_files


def other_input(settings: Settings, write: Write, some_sends: Callable[[int], list[Row]]) -> None:
    """Push another month, whose files stand in place of those before."""
    for path in settings.history.iterdir():
        path.unlink()
    later = some_sends(1)[0] | {"id": "later", "timestamp": "2024-06-01T10:00:00Z"}
    write("sends.ndjson", [later])
    push(settings, ["sends"])


def without_later(found: dict[tuple[str, str], Row]) -> dict[tuple[str, str], Row]:
    return {key: row for key, row in found.items() if key[1] != "later"}


def test_what_files_say_outlives_them_and_the_warehouse(
    settings: Settings,
    pushed: Settings,
    rows: dict[str, list[Row]],
    write: Write,
    some_sends: Callable[[int], list[Row]],
) -> None:
    """In the input, after other files, and in a warehouse made from nothing: every field, messages by a setting."""
    keeping = pushed
    assert facts(keeping) == wanted(rows, messages=True)
    other_input(keeping, write, some_sends)
    assert without_later(facts(keeping)) == wanted(rows, messages=True)
    settings.warehouse.unlink()
    pull(keeping, ["lists"], "run")
    publish_missing_imports(keeping)
    assert without_later(facts(keeping)) == wanted(rows, messages=True)
    publish_imports(settings)
    assert without_later(facts(settings)) == wanted(rows), "no message once the setting is off"
    for path in settings.parquet_dir.rglob("*"):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path


def test_with_hashed_phones_the_persons_key_is_the_hash(
    settings: Settings,
    rows: dict[str, list[Row]],
    written: Callable[[], None],
    write: Write,
    some_sends: Callable[[int], list[Row]],
) -> None:
    """It joins to contacts, at every step of an orchestrator too; of a message's numbers nothing is kept.

    A crash before the books loses nothing: what was sent and not published is known after the next push.
    """
    private = settings.model_copy(
        update={"hash_phones": SecretStr(SECRET), "keep_messages": True, "history_dir": settings.history}
    )
    pull(private, ["contacts"], "run")
    written()
    intake(private, list(PUSHED))
    send(private, ["sends"])
    publish_imports(private)  # clicks and revenue are still to be sent, from stages with plain numbers
    assert plain_numbers(private, rows) == []
    send(private, ["clicks", "revenue"])
    other_input(private, write, some_sends)
    found = without_later(facts(private))
    assert found.keys() == wanted(rows).keys()
    assert all(
        found[key][name] == row[name]
        for key, row in wanted(rows).items()
        for name in ("happened_at", "revenue")
    )
    assert {row["message"] for key, row in found.items() if key[0] == "sends"} == {
        f"Deal {n}, call ((number)" for n in range(6)
    }
    joined = query(
        private.warehouse,
        "SELECT count(DISTINCT r.message_id) FROM imports.records AS r JOIN contacts AS c USING (phone_number)"
        " WHERE dataset = 'sends' AND r.message_id <> 'later'",
    )
    assert joined == [(6,)]
    assert plain_numbers(private, rows) == []


def plain_numbers(settings: Settings, rows: dict[str, list[Row]]) -> list[str]:
    """Phone numbers of the input that stand in imports.records or in the archive."""
    files = [str(path) for name in PUSHED for path in archived(archive_folder(settings, name))]
    texts = query(settings.warehouse, "SELECT r::VARCHAR FROM imports.records AS r")
    with duckdb.connect() as connection:
        texts += connection.execute("SELECT a::VARCHAR FROM read_parquet($1) AS a", [files]).fetchall()
    numbers = {row["to_number"] for row in rows["sends"]} | {"000-00"}
    return [number for number in numbers for (text,) in texts if number in text]


def test_what_a_lost_ledger_knew_keeps_its_facts(
    settings: Settings,
    pushed: Settings,
    rows: dict[str, list[Row]],
    written: Callable[[], None],
    write: Write,
    some_sends: Callable[[int], list[Row]],
) -> None:
    """Revenue that is taken over has no digest; sends and clicks stay known until they are pushed again."""
    outside = (*settings.data_dir.glob("push/*.duckdb"), *settings.data_dir.glob("ledger.db*"))
    for path in (*settings.history.iterdir(), *outside):
        path.unlink()
    assert adopt(pushed).rows == 2
    assert facts(pushed) == wanted(rows, messages=True)
    other_input(pushed, write, some_sends)
    assert without_later(facts(pushed)) == wanted(rows, messages=True)
    written()
    push(pushed, ["sends"])
    assert without_later(facts(pushed)) == wanted(rows, messages=True)
    calls = query(
        settings.warehouse, "SELECT dataset, count(*), count(chunk) FROM imports.records GROUP BY ALL"
    )
    assert sorted(calls) == [("clicks", 4, 0), ("revenue", 2, 2), ("sends", 7, 7)]


def test_an_older_warehouse_keeps_what_it_knows(
    settings: Settings,
    pushed: Settings,
    rows: dict[str, list[Row]],
    written: Callable[[], None],
    write: Write,
    some_sends: Callable[[int], list[Row]],
) -> None:
    """Without archive and new columns: facts that were published stay; of rows in the input all is archived."""
    for name in PUSHED:
        for path in archived(archive_folder(settings, name)):
            path.unlink()
    new = (
        "phone_number",
        "send_type",
        "delivered",
        "length",
        "message",
        "send_timestamp",
        "attribution_type",
    )
    with replacing(settings.warehouse) as connection:
        for column in new:
            connection.execute(f"ALTER TABLE imports.records DROP COLUMN {column}")
    other_input(pushed, write, some_sends)
    # the stages still have clicks and revenue
    older = {key: row | dict.fromkeys(new if key[0] == "sends" else ()) for key, row in wanted(rows).items()}
    assert without_later(facts(settings)) == older
    written()
    push(pushed, ["sends"])
    other_input(pushed, write, some_sends)
    assert without_later(facts(settings)) == wanted(rows, messages=True)


def test_a_row_is_archived_once_and_as_it_was_sent(
    settings: Settings,
    rows: dict[str, list[Row]],
    write: Write,
    account: Account,
    some_sends: Callable[[int], list[Row]],
) -> None:
    """Refused, corrected and sent again: the later content. Changed after it was accepted: what was sent."""
    account.refuse = lambda _, row: ("save_error", "no") if row.get("id") == "m000001" else None
    write("sends.ndjson", rows["sends"])
    push(settings, ["sends"])
    account.refuse = None
    rows["sends"][1]["length"] = 99
    rows["sends"][2]["length"] = 77
    write("sends.ndjson", rows["sends"])
    push(settings, ["sends"], retry_rejected=True)
    other_input(settings, write, some_sends)
    lengths = {key[1]: row["length"] for key, row in facts(settings).items()}
    assert lengths == {
        "m000000": 20,
        "m000001": 99,
        "m000002": 22,
        "m000003": 23,
        "m000004": 24,
        "m000005": 25,
        "later": None,
    }
    with duckdb.connect() as connection:
        files = [str(path) for path in archived(archive_folder(settings, "sends"))]
        held = connection.execute(
            "SELECT identity, count(*) FROM read_parquet($1) GROUP BY ALL HAVING count(*) > 1", [files]
        )
        assert held.fetchall() == [("m000001", 2)]


def test_months_of_one_input_are_archived_as_they_are_sent(
    settings: Settings, write: Write, some_sends: Callable[[int], list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each by its push; small files are merged, and every row is there once, whatever a crash left beside them."""
    monkeypatch.setattr(archive_rows, "_MANY", 2)
    folder = archive_folder(settings, "sends")
    months = [dt.datetime(2024, month, 1, tzinfo=dt.UTC) for month in (1, 2, 3, 4)]
    write(
        "sends.ndjson",
        [
            row | {"timestamp": month.isoformat(), "length": number}
            for number, (row, month) in enumerate(zip(some_sends(3), months[:3], strict=True))
        ],
    )
    for number, (start, end) in enumerate(pairwise(months)):
        push(settings, ["sends"], between=(start, end))
        assert len(facts(settings)) == number + 1
        if number == 1:
            assert len(list(folder.iterdir())) == 3, "those that were merged are read until the next push"
            (folder / ".00000003.building").write_text("of a killed push")
            assert [path.name for path in archived(folder)] == ["00000001-00000002.parquet"]
    assert [path.name for path in archived(folder)] == ["00000001-00000003.parquet"]
    assert len(list(folder.iterdir())) == 3
    for path in (*settings.history.iterdir(), *settings.data_dir.glob("push/*.duckdb")):
        path.unlink()
    settings.warehouse.unlink()
    publish_imports(settings)
    lengths = {key[1]: row["length"] for key, row in facts(settings).items()}
    assert lengths == {"m000000": 0, "m000001": 1, "m000002": 2}

    large = folder / "00000001-00000003.parquet"
    for name in ("00000004-00000004.parquet", "00000005-00000005.parquet"):
        shutil.copy(large, folder / name)
    os.truncate(large, archive_rows._SMALL + 1)  # and nobody can read it
    with duckdb.connect() as connection:
        archive_rows._merge(connection, folder)
    assert [path.name for path in archived(folder)] == [large.name, "00000004-00000005.parquet"]
