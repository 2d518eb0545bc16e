"""Personal data by settings: no phone number anywhere in the data directory, and everything still joins."""

import csv
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from beginnings import seeded
from oracle import expected, query, same, shown

from pipelines.errors import AccessError, SettingsError, StorageError
from pipelines.privacy import KEEP_ALL, Privacy
from pipelines.pull.decode.redact import redacted
from pipelines.pull.rollback import replay
from pipelines.pull.run import pull
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.run import intake, push, send
from pipelines.sandbox import Account, Fault, Server, write_history
from pipelines.settings import Settings, load_settings
from pipelines.trackly.failures import Unreadable
from pipelines.trackly.replies.pages import read_page
from schemas.derived.pandera_checks import frame_schema
from schemas.registry import PULLED, PUSHED

SECRET = "a secret that nobody can guess"  # noqa: S105 - the tests' own
WRONG = "555-0123-4567"
REFUSED = "old-0000003"


def hashed(phone: str) -> str:
    """The oracle's own hash."""
    return "hmac:" + hmac.new(SECRET.encode(), phone.encode(), "sha256").hexdigest()[:32]


@pytest.fixture
def account() -> Account:
    """As many contacts as matter."""
    return seeded(300)


@pytest.fixture
def private(server: Server, tmp_path: Path, settings_of: Callable[..., Settings]) -> Settings:
    """Settings with phone numbers hashed; history lies outside of the data directory."""
    return settings_of(
        server.url,
        tmp_path / "data",
        hash_phones=SECRET,
        drop_custom_fields=True,
        history_dir=tmp_path / "history",
    )


def texts(data_dir: Path) -> Iterator[tuple[str, bytes]]:
    """Everything in a data directory: files as they are, and what compressed ones hold."""
    for path in sorted(data_dir.rglob("*")):
        if not path.is_file():
            continue
        yield str(path), path.read_bytes()
        if path.suffix == ".parquet":
            yield str(path), json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                tables = connection.execute(
                    "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal"
                ).fetchall()
                for (table,) in tables:
                    rows = connection.execute(f"FROM {table}").fetchall()
                    yield f"{path}: {table}", json.dumps(rows, default=str).encode()


def phones_found(settings: Settings, account: Account) -> list[tuple[str, str]]:
    """Where a phone number of the account's contacts, whole or without its plus, stands in the data directory."""
    return phones_in(texts(settings.data_dir), account)


def phones_in(contents: Iterable[tuple[str, bytes]], account: Account) -> list[tuple[str, str]]:
    phones = {row["phone_number"].lstrip("+").encode() for row in account.contacts()} | {b"15550009999"}
    anywhere = re.compile(rb"1555[0-9]{7}|" + WRONG.encode())
    found = ((where, set(anywhere.findall(content))) for where, content in contents)
    return [
        (where, text.decode())
        for where, texts in found
        for text in texts
        if text in phones | {WRONG.encode()}
    ]


def _unreachable(_entity: str, record: dict[str, Any]) -> tuple[str, str] | None:
    if record.get("id") != REFUSED:
        return None
    return "invalid_phone", f"{record['to_number']} cannot be reached"


def _with_odd_rows(private: Settings, account: Account) -> None:
    """History to push, bad rows in it and in the account, and a row that the account refuses."""
    write_history(account, private.history, sends=200)
    first = account.contacts()[0]
    account.add_contact({**first, "phone_number": WRONG})
    account.add_contact(
        {**account.contacts()[5], "phone_number": "+15550009999", "mobile": "+15550009999", "send_count": -1}
    )
    account.add_contact({**account.contacts()[9], "list_id": 1, "nickname": "call +15550009999"})
    account.refuse = _unreachable
    sends = private.history / "sends.csv"
    sends.write_text(sends.read_text().replace("555-0100", WRONG) + "too,many,+15550009999,x,x,x,x,x,x,x\n")


def test_no_phone_is_left_behind_by_pull_and_push(
    private: Settings, account: Account, server: Server
) -> None:
    """After pulls and pushes, bad rows and refusals included, no file holds a phone number or a custom field.

    The account receives real numbers; a second push sends nothing; references and totals are found by hash. So an
    answer that is lost is settled by reading, though neither side of the comparison knows a phone number. A stage
    whose phone numbers are put away cannot be sent from: it says so, and another push rebuilds it.
    """
    before = {row["phone_number"] for row in account.contacts()}
    _with_odd_rows(private, account)
    pull(private, list(PULLED), "run-1")
    intake(private, ["sends"])
    send(private, ["sends"])
    assert len(account.sends) == 199
    calls = len(account.log)
    with pytest.raises(StorageError, match="removed from the stage"):
        send(private, ["sends"])
    assert len(account.log) == calls
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    report = push(private, list(PUSHED))
    assert (report.outcomes["sends"].accepted, report.outcomes["sends"].rejected) == (199, 1)
    assert (report.outcomes["revenue"].accepted, report.outcomes["revenue"].in_doubt) == (10, 0)
    assert sum(row["message_id"] in account.sends for row in account.revenue) == 10
    again = push(private, list(PUSHED))
    assert {name: asdict(of) for name, of in again.outcomes.items()} == {
        name: asdict(of) for name, of in report.outcomes.items()
    }
    sent = {row["to_number"] for row in account.sends.values()}
    assert len(account.sends) == 199
    assert sent <= before
    pull(private, ["contacts", "revenue"], "run-2")
    done = reconcile(private)
    assert (done.findings["contact_gone"], done.missing) == (0, Decimal(0))
    contacts = query(private.warehouse, "SELECT DISTINCT phone_number FROM contacts")
    assert {phone for (phone,) in contacts} == set(map(hashed, before))
    with open_ledger(private) as ledger:
        batches = [batch.to_pydict()["contact"] for batch in ledger_rows(ledger, "sends", ("contact",))]
    with (private.history / "sends.csv").open(newline="") as file:
        refused = next(row["to_number"] for row in csv.DictReader(file) if row["id"] == REFUSED)
    assert {phone for phones in batches for phone in phones} == set(map(hashed, sent | {refused}))
    _assert_nothing_is_left(private, account)


def _assert_nothing_is_left(private: Settings, account: Account) -> None:
    everything = list(texts(private.data_dir))
    assert phones_in(everything, account) == []
    for _, content in everything:
        assert b"Fumiko" not in content
        assert content.count(b"first_name") == content.count(b"{{first_name"), "texts of creatives have these"
    assert query(private.warehouse, "SELECT count(*) FROM quarantine.contacts") == [(2,)]
    assert query(private.warehouse, "SELECT count(*) FROM imports.records WHERE outcome = 'quarantined'") == [
        (6,)
    ]
    assert query(
        private.warehouse, "SELECT raw->>'to_number' FROM imports.records WHERE message_id = 'bad-phone'"
    ) == [("999-9999-9999",)], "its form, and none of its digits"


def test_everything_but_phones_and_custom_fields_is_as_in_the_account(
    private: Settings, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, counts and sums are the account's; equal phone numbers have equal hashes in every table.

    A row that was quarantined for another reason than its phone number passes with its hash. `--since-last` stops at
    the first contact that is published, which both sides know by hash only.
    """
    _add_a_page(account)
    wanted = [
        {**row, "phone_number": hashed(row["phone_number"]), "custom_fields": None}
        for row in account.contacts()
    ]
    account.add_contact({**account.contacts()[0], "phone_number": "+15550009999", "send_count": -1})
    pull(private, ["contacts", "lists", "offers", "revenue"], "run-1")
    assert same(shown(private.warehouse, "contacts"), wanted, "phone_number", "list_id")
    assert same(shown(private.warehouse, "lists"), account.lists, "id")
    assert query(private.warehouse, "SELECT raw->>'phone_number' FROM quarantine.contacts") == [
        (hashed("+15550009999"),)
    ]
    monkeypatch.setattr(frame_schema(PULLED["contacts"]).columns["send_count"], "checks", [])
    assert replay(private, "contacts", "run-2")[1] == 1
    assert query(private.warehouse, "SELECT phone_number FROM contacts WHERE send_count < 0") == [
        (hashed("+15550009999"),)
    ]
    account.contacts()[3]["revenue_total"] += 1.5
    account.contacts()[3]["send_count"] += 1
    pull(private, ["contacts", "revenue"], "run-3")
    assert query(private.warehouse, "SELECT count(*), count(valid_to) FROM contacts_history") == [(1102, 1)]
    total = sum((expected(row)["revenue_total"] for row in account.contacts()), Decimal(0))
    joined = query(
        private.warehouse, "SELECT sum(revenue) FROM revenue JOIN contacts USING (phone_number, list_id)"
    )
    assert joined == [(total,)]
    account.add_contact({**account.contacts()[0], "phone_number": "+15550008888"})
    before = len(account.log)
    pull(private, ["contacts"], "run-4", since_last=True)
    assert sum(request.path == "/contacts" for request in account.log[before:]) == 1
    assert query(private.warehouse, "SELECT count(*) FROM contacts") == [(1102,)]


def _add_a_page(account: Account) -> None:
    first = account.contacts()[0]
    for number in range(800):
        account.add_contact({**first, "phone_number": f"+15558{number:06}"})


def test_a_failed_pull_leaves_no_phone(private: Settings, account: Account) -> None:
    """What an interrupted pull keeps to go on from is filtered too, and it does go on from that."""
    _add_a_page(account)  # which fails
    account.before_request = lambda number, of: setattr(of, "suspended", number >= 2)
    with pytest.raises(AccessError):
        pull(private, ["contacts"], "run-1")
    left = [path for path in private.parquet_dir.rglob("bodies") if ".spool" in str(path)]
    assert left, "nothing was kept of the interrupted pull: the test shows nothing"
    assert phones_found(private, account) == []


def test_one_data_directory_holds_phones_of_one_kind(settings: Settings, private: Settings) -> None:
    """Another secret, or none, is refused before anything is read, with what to do about it."""
    pull(settings, ["contacts"], "run-1")
    with pytest.raises(SettingsError, match="TRACKLY_HASH_PHONES") as refused:
        pull(private, ["contacts"], "run-2")
    assert "ledger.db" in refused.value.remedy
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("secret", ["hush", "x" * 15])
def test_a_secret_that_can_be_guessed_is_refused(secret: str) -> None:
    """A short secret is named by its setting and not shown."""
    with pytest.raises(SettingsError, match="TRACKLY_HASH_PHONES must have at least 16") as refused:
        load_settings(hash_phones=secret)
    assert secret not in str(refused.value)
    assert load_settings(hash_phones="").hash_phones is None


@pytest.mark.parametrize("key", [b"k" * 20, b"k" * 64, b"k" * 200])
def test_sql_hashes_as_python_does(key: bytes) -> None:
    """The macro and the method agree, for short and long secrets, good and bad numbers."""
    privacy = Privacy(key)
    given = ["+15551234567", "555-0100", "", "+1555123456789012345", "+15551234567\n", "é"]
    with duckdb.connect() as connection:
        privacy.define(connection)
        found = [connection.execute("SELECT kept_phone(?)", [text]).fetchone() for text in given]
        assert connection.execute("SELECT kept_phone(NULL)").fetchone() == (None,)
    assert found == [(privacy.phone(text),) for text in given]
    assert (
        privacy.phone("+15551234567") == "hmac:" + hmac.new(key, b"+15551234567", "sha256").hexdigest()[:32]
    )
    assert key.decode() not in repr(privacy)


def reply(*rows: Any) -> bytes:
    """A reply of GET /contacts."""
    return json.dumps({"contacts": rows, "pagination": {"page": 1}}).encode()


@pytest.mark.parametrize(
    "row",
    [
        {"phone_number": "+15551234567", "list_number": "+15559990000"},
        {"phone_number": 15551234567},
        {"phone_number": ["+15551234567"]},
        {"phone_number": None, "other": {"deep": ["tel:+15551234567;"]}},
        {"phone_number": "+1555123456700000000"},
        "+15551234567",
        ["+15551234567"],
        15551234567,
    ],
)
def test_no_shape_of_row_carries_a_phone_through(row: Any) -> None:
    """Wherever the number stands, and however the plus is written, it does not come out; rows stay as many."""
    for body in (
        reply(row),
        reply(row, {"phone_number": "+15551110000"}),
        reply(row).replace(b"+", b"\\u002b"),
    ):
        left = Privacy(b"k" * 20).filtered(body, "contacts")
        assert b"5551234567" not in left
        assert len(json.loads(left)["contacts"]) == len(json.loads(body)["contacts"])
        assert json.loads(left)["pagination"] == {"page": 1}
    if isinstance(row, dict) and "list_number" in row:
        assert json.loads(left)["contacts"][0]["list_number"] == "+15559990000"


def test_what_is_no_reply_is_neither_kept_nor_filtered() -> None:
    """A body of another shape is refused with the words of reading it, and nothing of it is left to write down."""
    private = Privacy(b"k" * 20)
    for body in (b"", b"<html>", b"[]", b'{"contacts": 3}', b'{"error": "no"}'):
        with pytest.raises(Unreadable) as refused:
            redacted(private, "contacts", body)
        with pytest.raises(Unreadable, match=str(refused.value)):
            read_page("contacts")(body)
        assert private.filtered(body, "contacts") == b""
        assert redacted(KEEP_ALL, "contacts", body) == body
