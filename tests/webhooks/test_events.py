"""Events in the warehouse: what the queue holds, read by the contract, with every publish."""

import datetime as dt
import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from effort import examples
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from oracle import query
from receiving import LIST, PHONE, arrive, delivery, encoded, event_rows, opt_out, settings_of

from pipelines.alerts.after_run import conditions
from pipelines.cli.commands.webhooks import show_webhooks
from pipelines.privacy import Privacy
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.warehouse import webhook_events as published
from pipelines.warehouse.publish import publish
from pipelines.warehouse.published import last_sent_at, unread_events
from pipelines.warehouse.published import published as published_in
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.webhook_events import publish_events
from pipelines.webhooks.events import digest_of, kept_of, reduced, rows_of
from pipelines.webhooks.queue import store
from pipelines.webhooks.queue.state import received
from pipelines.webhooks.queue.store import REDUCED, Arrival, StoredBody, existing_store, now, open_store
from schemas.derived.arrow import arrow_schema
from schemas.derived.tables import create_table
from schemas.webhook_events import DOCUMENTED, WEBHOOK_EVENTS

Row = dict[str, Any]


def test_documented_fields_are_columns_and_others_extra(tmp_path: Path) -> None:
    """Every event becomes one row, whatever its body is; what could not be read is named."""
    settings = settings_of(tmp_path)
    odd = {
        "event": "delivery", "message_id": 17, "to": None, "status": {"now": 1}, "timestamp": "yesterday",
        "list_number": LIST, "more": [1, {"a": "ä"}],
    }  # fmt: skip
    junk = [
        b"no JSON \xff\x00",
        b"",
        b"[]",
        b"7",
        b'{"event": "x", "n": 1e999}',
        b'{"a": "\\ud800"}',
        b"[" * 9_000,
    ]
    arrive(
        settings,
        delivery(1),
        opt_out(PHONE),
        odd,
        [delivery(2), delivery(3)],
        {"event": "reply", "text": "hi"},
        *junk,
    )
    publish_events(settings)
    found = event_rows(settings)
    by_raw: dict[str, list[Row]] = {}
    for row in sorted(found, key=lambda row: int(row["position"])):
        by_raw.setdefault(row["raw"], []).append(row)
    (first,) = by_raw[json.dumps(delivery(1))]
    wanted = {
        **dict.fromkeys(DOCUMENTED),
        **delivery(1),
        "timestamp": dt.datetime(2026, 11, 20, 10, 0, 1, tzinfo=dt.UTC),
    }
    assert {name: first[name] for name in DOCUMENTED} == wanted
    assert (first["extra"], first["problem"], first["verified"], first["repeats"]) == (None, None, True, 0)
    assert first["digest"] == hashlib.sha256(encoded(delivery(1))).hexdigest()
    (second,) = by_raw[json.dumps(opt_out(PHONE))]
    assert (second["phone_number"], second["keyword"], second["message_id"]) == (PHONE, "STOP", None)
    (third,) = by_raw[json.dumps(odd)]
    assert (third["message_id"], third["status"], third["timestamp"], third["list_number"]) == (
        "17",
        None,
        None,
        LIST,
    )
    assert json.loads(third["extra"]) == {name: odd[name] for name in ("status", "timestamp", "more")}
    assert third["problem"] == "status is no text; timestamp is not a time"
    both = by_raw[json.dumps([delivery(2), delivery(3)])]
    assert [(row["message_id"], row["position"]) for row in both] == [("m0000002", 0), ("m0000003", 1)]
    (reply,) = by_raw[json.dumps({"event": "reply", "text": "hi"})]
    assert (reply["event"], json.loads(reply["extra"]), reply["problem"]) == ("reply", {"text": "hi"}, None)
    for body in junk:
        (row,) = by_raw[body.decode(errors="backslashreplace")]
        assert row["problem"]
    assert len(found) == 5 + 1 + len(junk)


_NAMES = st.sampled_from(
    [*(name for name in DOCUMENTED if name != "list_number"), "extra", "", "a\\u0000", "custom_fields"]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text()
    | st.just(PHONE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_EVENTS = st.dictionaries(_NAMES, _VALUES, max_size=6)


@settings_of_hypothesis(max_examples=examples(6))
@given(
    st.lists(st.one_of(_EVENTS, st.lists(_EVENTS, max_size=3), _VALUES, st.binary(max_size=60)), max_size=20)
)
def test_no_body_stops_a_publish(bodies: list[Any]) -> None:
    """Whatever bodies hold, each has a row at least, DuckDB takes the rows, and with hashing no number is in them."""
    kept = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    for privacy in (Privacy(), Privacy(b"a secret for hashing", drop_custom_fields=True)):
        some = [StoredBody("d", 0, None, 0, True, *kept_of(body, privacy), 1) for body in kept]
        some += [replace(one, form=REDUCED, body=reduced(one)) for one in some]
        found = [row for one in some for row in rows_of(one, privacy)]
        assert len(found) >= len(some)
        table = pa.Table.from_pylist(found, arrow_schema(WEBHOOK_EVENTS))
        with duckdb.connect() as connection:
            connection.execute(create_table("events", WEBHOOK_EVENTS.fields))
            connection.register("incoming", table)
            connection.execute("INSERT INTO events SELECT * FROM incoming")
        if privacy.key:
            assert PHONE not in str(found)


def test_repeats_and_disagreements_are_counted(tmp_path: Path) -> None:
    """The same body is one row; other details of the same happening are another row of that happening."""
    settings = settings_of(tmp_path)
    arrive(settings, delivery(1), delivery(2), at=1_000_000)
    arrive(settings, delivery(1), at=3_000_000, verified=False)
    arrive(settings, delivery(1), at=2_000_000)
    arrive(settings, delivery(1, status_detail="DELIVERED_TO_OPERATOR"), delivery(1, "pending"))
    publish_events(settings)
    found = event_rows(settings)
    assert sorted((row["message_id"], row["repeats"], row["verified"]) for row in found) == [
        ("m0000001", 0, True), ("m0000001", 0, True), ("m0000001", 2, True), ("m0000002", 0, True),
    ]  # fmt: skip
    (again,) = [row for row in found if row["repeats"]]
    assert [again[name].timestamp() for name in ("received_at", "repeated_at")] == [1, 2]
    assert len({row["happening"] for row in found}) == 3
    ((counted),) = event_rows(settings, "sync.webhooks")
    assert [counted[name] for name in ("bodies", "repeats", "disagreements")] == [4, 2, 1]
    arrive(settings, delivery(2))
    publish_events(settings)
    assert {row["repeats"] for row in event_rows(settings) if row["message_id"] == "m0000002"} == {1}


def test_every_publish_brings_what_is_new_and_nothing_twice(tmp_path: Path) -> None:
    """By a pull, by a push, by the receiver; where nothing is new the warehouse is left alone."""
    settings = settings_of(tmp_path)
    assert publish_events(settings) is None
    publish(settings, [])
    assert event_rows(settings) == event_rows(settings, "sync.webhooks") == []
    for number, way in enumerate((lambda: publish(settings, []), lambda: publish_imports(settings))):
        arrive(settings, delivery(number))
        way()
        assert len(event_rows(settings)) == number + 1
    arrive(settings, delivery(7), delivery(8))
    assert publish_events(settings) == 2
    before = settings.warehouse.stat()
    assert publish_events(settings) is None
    assert settings.warehouse.stat().st_ino == before.st_ino
    settings.warehouse.unlink()
    assert publish_events(settings) == len(event_rows(settings)) == 4


def test_an_unreadable_queue_stops_no_pull(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What else is published is published, and it is logged."""
    settings = settings_of(tmp_path)
    settings.data_dir.mkdir()
    (settings.data_dir / "webhooks.db").write_bytes(b"no database, and longer than a header of one" * 99)
    publish(settings, [])
    assert event_rows(settings, "contacts") == []
    assert "stay in the queue" in caplog.text


@pytest.mark.parametrize("secret", [None, "a secret for hashing"])
def test_an_opt_out_cut_in_an_emoji_or_in_capitals_counts(
    tmp_path: Path, secret: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half an emoji is replaced, a whole one and an escaped backslash stay; what cannot be read alerts."""
    settings = settings_of(tmp_path, hash_phones=secret)
    keywords = ["STOP \\ud83d", "STOP \\udE00 x", "\\ud83d\\ude00", "\\\\ud83d", "\\ud83d\\ud83d\\ude00"]
    bodies = [
        json.dumps(opt_out(f"+1555000010{place}", keyword="?")).replace("?", keyword).encode()
        for place, keyword in enumerate(keywords)
    ]
    odd = [
        encoded(opt_out("+15550000105", keyword="?")).replace(b"?", b"STOP \xed\xa0\xbd"),
        encoded(opt_out("+15550000106", event=" UNSUBSCRIBE")),
        encoded(opt_out("+15550000107")).decode().encode("utf-16"),
    ]
    arrive(settings, *bodies, *odd, b"event=unsubscribe")
    arrive(settings, b"event=reply", verified=False)
    publish_events(settings)
    phone = Privacy.of(settings).phone
    found = {row["phone_number"]: row["keyword"] for row in event_rows(settings, "marts.opt_outs")}
    assert found.keys() == {phone(f"+1555000010{place}") for place in range(8)}
    texts = ["STOP \ufffd", "STOP \ufffd x", "\U0001f600", "\\ud83d", "\ufffd\U0001f600"]
    assert [found[phone(f"+1555000010{place}")] for place in range(5)] == texts
    (alert,) = [one for one in conditions(settings) if one.firing and one.name == "unread:webhooks"]
    assert alert.figures == {"unread": 1}
    show_webhooks(settings)
    assert "1 signed, but not readable" in " ".join(capsys.readouterr().out.split())


def test_statuses_however_written_count_and_unknown_ones_stay(tmp_path: Path) -> None:
    """A known status in capitals is that status, and one happening with it; others stay as they came."""
    settings = settings_of(tmp_path)
    written = ["delivered", " Delivered", "FAILED", "Read Soon", None]
    arrive(settings, *(delivery(1, status) for status in written[:2]))
    arrive(settings, *(delivery(number, status) for number, status in enumerate(written[2:], 2)))
    publish_events(settings)
    found = {(row["message_id"], row["status"]) for row in event_rows(settings)}
    wanted = ["delivered", "failed", "Read Soon", None]
    assert found == {(f"m{number:07}", status) for number, status in enumerate(wanted, 1)}
    assert len({row["happening"] for row in event_rows(settings)}) == 4
    finals = query(settings.warehouse, "SELECT message_id FROM marts.messages WHERE is_final ORDER BY 1")
    assert finals == [("m0000001",), ("m0000002",)]


def test_events_and_how_far_they_came_are_published_together_or_not(tmp_path: Path) -> None:
    """What fails while it is put on record leaves the events that were there; a warehouse without any is none."""
    settings = settings_of(tmp_path)
    settings.data_dir.mkdir()
    with duckdb.connect(str(settings.warehouse)):
        """A warehouse of a time before events."""
    assert (unread_events(settings.warehouse), last_sent_at(settings.warehouse)) == ((0, 0), None)
    assert published_in(settings.warehouse) == {}
    arrive(settings, delivery(1))
    assert publish_events(settings) == 1
    with duckdb.connect(str(settings.warehouse)) as connection, existing_store(settings) as queue:
        assert queue is not None
        connection.execute("CREATE TEMP TABLE incoming_events AS FROM main.webhook_events")
        connection.execute("UPDATE incoming_events SET message_id = 'another'")
        with pytest.raises(KeyError):
            published._merge(complete(connection), queue, (queue.id, 1, 1, ""), {})
        assert connection.execute("SELECT message_id FROM main.webhook_events").fetchall() == [("m0000001",)]
    nowhere = tmp_path / "none.duckdb"
    assert (unread_events(nowhere), last_sent_at(nowhere), published_in(nowhere)) == ((0, 0), None, {})


def test_raw_bodies_go_after_their_time_and_fields_stay(tmp_path: Path) -> None:
    """TRACKLY_WEBHOOK_KEEP_DAYS: the row is the same without the raw body, also when all is read again."""
    settings = settings_of(tmp_path, webhook_keep_days=0)
    long_ago = now() - 100 * 86_400 * 1_000_000
    arrive(settings, delivery(1, more=[1]), [opt_out(PHONE), 7], b"a body of no form", at=long_ago)
    arrive(settings, delivery(2))
    publish_events(settings)
    before = event_rows(settings)
    keeping = settings_of(tmp_path, webhook_keep_days=90)
    assert publish_events(keeping) == 4
    after = event_rows(settings)
    gone = [row | {"raw": None} if row["message_id"] != "m0000002" else row for row in before]
    assert sorted(after, key=str) == sorted(gone, key=str)
    settings.warehouse.unlink()
    publish_events(keeping)
    assert event_rows(settings) == after
    held = b"".join(path.read_bytes() for path in settings.data_dir.glob("webhooks.db*"))
    assert b"a body of no form" not in held
    arrive(settings, delivery(1, more=[1]))
    publish_events(keeping)
    assert {row["repeats"] for row in event_rows(settings) if row["message_id"] == "m0000001"} == {1}


def test_a_contract_that_is_read_in_another_way_reads_all_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade needs no replay, and a replay reads all the same."""
    settings = settings_of(tmp_path)
    arrive(settings, delivery(1), delivery(2))
    assert publish_events(settings) == 2
    assert publish_events(settings, again=True) == 2
    monkeypatch.setattr(published, "CONTRACT", 2)
    assert publish_events(settings) == 2
    assert publish_events(settings) is None
    assert len(event_rows(settings)) == 2


def test_batches_hold_memory_and_miss_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of a batch and of a transaction, every body comes once, in the order of its last change."""
    settings = settings_of(tmp_path)
    monkeypatch.setattr(store, "_BATCH_BYTES", 2_000)
    monkeypatch.setattr(published, "_MERGED_ROWS", 10)
    bodies = [encoded(delivery(number)) for number in random.Random(1).choices(range(40), k=90)]
    with open_store(settings) as queue:
        for start in range(0, 90, 7):
            queue.append(
                [Arrival(digest_of(b, Privacy()), now(), True, 0, b) for b in bodies[start : start + 7]]
            )
    publish_events(settings)
    counts = {row["raw"].encode(): row["repeats"] + 1 for row in event_rows(settings)}
    assert counts == {body: bodies.count(body) for body in bodies}
    with existing_store(settings) as found:
        assert found is not None
        changes = [one.change for batch in found.batches(0, 90) for one in batch]
    assert changes == sorted(set(changes))


def test_a_queue_on_the_ledgers_server(tmp_path: Path, database: str) -> None:
    """PostgreSQL holds the same, for several receivers at once."""
    settings = settings_of(tmp_path, ledger_url=database)
    assert publish_events(settings) is None
    arrive(settings, delivery(1), b"\x00\xff", delivery(1))
    with open_store(settings) as first, open_store(settings) as second:
        assert first.id == second.id
        second.append([Arrival("d", now(), True, 0, b"{}")], [store.Rejection(now(), "unsigned", 3)])
        first.beat(serving=True)
    assert publish_events(settings) == 3
    seen = received(settings)
    assert seen is not None
    assert (seen.bodies, seen.unsigned) == (4, 1)
    assert sorted(row["repeats"] for row in event_rows(settings)) == [0, 0, 1]
    assert [row["reason"] for row in event_rows(settings, "sync.webhook_rejections")] == ["unsigned"]
    assert not (settings.data_dir / "webhooks.db").exists()
    expired = settings_of(tmp_path, ledger_url=database, webhook_keep_days=1e-9)
    assert publish_events(expired) == 3
