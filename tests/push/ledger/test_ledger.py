"""The ledger: durable, in order, and never in a state that its verbs do not lead to."""

import os
import sqlite3
import subprocess
import sys
import threading
import zlib
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import randbytes
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from pipelines.errors import BusyError, DataError, StorageError
from pipelines.push.ledger.db.engine import ledger_errors
from pipelines.push.ledger.db.tables import PACKS
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.lock import push_lock
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.packed_rows import decoded, known_by
from pipelines.push.ledger.queries.pending import to_retry
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.ledger.queries.sums import sums
from pipelines.push.ledger.statements import Answered, InputChanges, LedgerRows
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome, Outcomes, Verdict
from pipelines.settings import Settings, load_settings

ANSWER = Answered(
    sent_at="2024-05-01T10:00:00",
    answered_at="2024-05-01T10:00:01",
    attempts=1,
    http_status=200,
    success_count=2,
    error_count=0,
    duplicates_skipped=0,
    invalid_phones=0,
    total_revenue=None,
)
NOTHING = InputChanges({}, {})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data", api_key="trk_" + "s3cr3t00" * 4)


@pytest.fixture
def ledger(either: Settings) -> Iterator[Ledger]:
    with open_ledger(either) as ledger:
        yield ledger


def rows(*names: str) -> LedgerRows:
    return LedgerRows(list(names), *([None] * len(names) for _ in LedgerRows._fields[1:]))


def on_record(ledger: Ledger) -> list[dict[str, Any]]:
    names = ("identity", "outcome", "current", "tries", "packed")
    return [row for batch in ledger_rows(ledger, "sends", names) for row in batch.to_pylist()]


def packed(ledger: Ledger) -> set[str]:
    return {row["identity"] for row in on_record(ledger) if row["packed"]}


def test_an_answer_makes_rows_accepted_save_those_with_an_outcome_of_their_own(ledger: Ledger) -> None:
    """A row takes its outcome from its chunk, unless it has one of its own."""
    ledger.take_in("sends", 5, {"quarantined": 1}, NOTHING)
    chunk = ledger.intend("sends", rows("a", "b", "c"), 10, again=False)
    assert ledger.outcomes()["sends"] == Outcomes(rows_in=5, quarantined=1, pending=4)
    ledger.answer("sends", chunk, ANSWER, {"c": Verdict(Outcome.REJECTED, "x", "y")})
    assert ledger.outcomes()["sends"] == Outcomes(5, quarantined=1, accepted=2, rejected=1, pending=1)
    found = {row["identity"]: row["outcome"] for row in on_record(ledger)}
    assert found == {"a": "accepted", "b": "accepted", "c": "rejected"}


@pytest.mark.parametrize(
    ("dataset", "outcome"), [("sends", "pending"), ("clicks", "pending"), ("revenue", "in_doubt")]
)
@pytest.mark.parametrize("how", ["under way", "recovered", "lost"])
def test_what_has_no_answer(ledger: Ledger, dataset: str, outcome: str, how: str) -> None:
    """A call without an answer leaves revenue in doubt, whatever happened to the process, and others pending."""
    ledger.take_in(dataset, 2, {}, NOTHING)
    chunk = ledger.intend(dataset, rows("a", "b"), 10, again=False)
    if how == "recovered":
        assert ledger.recover(dataset) == 1
        assert ledger.recover(dataset) == 0
    elif how == "lost":
        ledger.lose(dataset, chunk, "time-out")
    assert getattr(ledger.outcomes()[dataset], outcome) == 2


def test_refused_revenue_is_not_in_doubt(ledger: Ledger) -> None:
    """A call that was certainly not carried out leaves its rows pending."""
    ledger.take_in("revenue", 1, {}, NOTHING)
    ledger.refuse("revenue", ledger.intend("revenue", rows("a"), 10, again=False), "refused")
    assert ledger.outcomes()["revenue"].pending == 1
    with ledger.begin() as connection:
        assert to_retry(connection, "revenue", ledger.part) == [("a", "not_sent", 1, 1)]


def test_illegal_moves_raise_and_change_nothing(ledger: Ledger) -> None:
    """A chunk is answered once; a row is intended once, and again only while it is pending."""
    ledger.take_in("sends", 2, {}, NOTHING)
    chunk = ledger.intend("sends", rows("a", "b"), 10, again=False)
    ledger.answer("sends", chunk, ANSWER, {})
    before = ledger.outcomes()
    with pytest.raises(DataError, match="not under way"):
        ledger.answer("sends", chunk, ANSWER, {})
    with pytest.raises(DataError, match="not under way"):
        ledger.lose("sends", chunk, "late")
    with pytest.raises(DataError, match="only 0 are pending"):
        ledger.intend("sends", rows("a"), 10, again=True)
    with pytest.raises(StorageError, match="in the ledger"):
        ledger.intend("sends", rows("c", "b"), 10, again=False)
    assert ledger.outcomes() == before
    assert len(ledger.chunks()) == 1


def test_rows_tried_again_move_to_their_new_chunk(ledger: Ledger) -> None:
    """A row that is tried again counts in its new chunk only."""
    ledger.take_in("sends", 2, {}, NOTHING)
    first = ledger.intend("sends", rows("a", "b"), 10, again=False)
    ledger.answer("sends", first, ANSWER, {"b": Verdict(Outcome.PENDING, "save_error")})
    second = ledger.intend("sends", rows("b"), 5, again=True)
    ledger.answer("sends", second, ANSWER, {})
    assert ledger.outcomes()["sends"] == Outcomes(2, accepted=2)
    assert [(c["rows"], c["current"]) for c in ledger.chunks()] == [(2, 1), (1, 1)]


def test_only_rows_of_the_current_input_count(ledger: Ledger) -> None:
    """Rows that left the input are no longer counted, and count again when they are back."""
    ledger.take_in("sends", 3, {}, NOTHING)
    chunk = ledger.intend("sends", rows("a", "b", "c"), 10, again=False)
    ledger.answer("sends", chunk, ANSWER, {"c": Verdict(Outcome.REJECTED, "x")})
    ledger.take_in("sends", 1, {}, InputChanges({"b": False, "c": False}, {chunk: -1}))
    assert ledger.outcomes()["sends"] == Outcomes(1, accepted=1)
    ledger.take_in("sends", 3, {}, InputChanges({"b": True, "c": True}, {chunk: 1}))
    assert ledger.outcomes()["sends"] == Outcomes(3, accepted=2, rejected=1)


def test_packs_are_opened_where_rows_differ(ledger: Ledger) -> None:
    """The rows of a call are kept together; one that leaves the input alone, and all of a lost call, stand apart."""
    ledger.take_in("sends", 6, {}, NOTHING)
    one, two, three = (ledger.intend("sends", rows(*ids), 10, again=False) for ids in ("ab", "cd", "ef"))
    for chunk in (one, two):
        ledger.answer("sends", chunk, ANSWER, {})
    ledger.lose("sends", three, "time-out")
    assert packed(ledger) == {"a", "b", "c", "d"}
    ledger.take_in("sends", 3, {}, InputChanges({"a": False}, {one: -1, two: -2}, {two: False}))
    assert packed(ledger) == {"c", "d"}
    assert ledger.outcomes()["sends"] == Outcomes(3, accepted=1, pending=2)
    found = {row["identity"]: (row["outcome"], row["current"], row["tries"]) for row in on_record(ledger)}
    assert found == {
        "a": ("accepted", False, 1), "b": ("accepted", True, 1), "c": ("accepted", False, 1),
        "d": ("accepted", False, 1), "e": ("pending", True, 1), "f": ("pending", True, 1),
    }  # fmt: skip
    with ledger.begin() as connection:
        assert sums(connection)["sends"].accepted == 4


@pytest.mark.parametrize("opened", [False, True])
def test_what_another_part_took_meanwhile_is_not_taken_twice(
    ledger: Ledger, either: Settings, opened: bool
) -> None:
    """A row that another machine sent after this one had looked is refused, packed or not; chunks between are not."""
    seen = ledger.last_chunk("sends")
    with open_ledger(either.model_copy(update={"push_part": "other"})) as other:
        other.take_in("sends", 2, {}, NOTHING)
        chunk = other.intend("sends", rows("b", "é"), 10, again=False)
        other.answer("sends", chunk, ANSWER, {"b": Verdict(Outcome.REJECTED, "x")} if opened else {})
    ledger.intend("sends", rows("a", "c", "z", "ö"), 10, again=False, seen=seen)
    for taken in "bé":
        with pytest.raises(StorageError, match="in the ledger"):
            ledger.intend("sends", rows("B", taken, "zz"), 10, again=False, seen=seen)


def test_status_of_nothing_makes_no_ledger(settings: Settings) -> None:
    """Before the first push everything is zero, and asking makes no file."""
    assert outcomes(settings) == {name: Outcomes() for name in ("sends", "clicks", "revenue")}
    assert not settings.data_dir.exists()


def test_looking_at_a_ledger_that_is_being_made_makes_nothing(settings: Settings) -> None:
    """A reader that comes while the first push makes the ledger sees zeros and leaves the making to the push."""
    settings.data_dir.mkdir()
    file = settings.data_dir / "ledger.db"
    sqlite3.connect(file).close()
    assert outcomes(settings)["sends"] == Outcomes()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchall() == [(0,)]


def test_two_may_make_the_ledger_at_once(settings: Settings) -> None:
    """Whoever comes second finds it made; neither fails."""
    failures: list[Exception] = []
    start = threading.Barrier(4)

    def make() -> None:
        start.wait()
        try:
            with open_ledger(settings):
                pass
        except Exception as failure:  # noqa: BLE001 - collected for the assertion
            failures.append(failure)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_ledger_is_in_wal_mode_and_holds_no_key(settings: Settings) -> None:
    """SQLite keeps a write-ahead log; the key is nowhere in the file."""
    with open_ledger(settings) as ledger, ledger.begin("revenue") as connection:
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == 2
    for file in settings.data_dir.iterdir():
        assert b"s3cr3t00" not in file.read_bytes()


def test_an_error_of_the_database_does_not_name_the_user() -> None:
    """What the driver says of a log-in is kept without the user of the ledger's URL."""
    said = Exception('connection failed: FATAL:  password authentication failed for user "us3r"')
    with pytest.raises(StorageError) as caught, ledger_errors("the ledger"):
        raise sa.exc.OperationalError("SELECT", {}, said)
    assert "us3r" not in str(caught.value)
    assert "authentication failed for user of TRACKLY_LEDGER_URL" in caught.value.message


def test_a_file_that_is_no_ledger_is_a_storage_error(settings: Settings) -> None:
    """A damaged ledger is an error that names the file."""
    settings.data_dir.mkdir()
    (settings.data_dir / "ledger.db").write_bytes(b"something else" * 500)
    with pytest.raises(StorageError, match=r"ledger\.db"), open_ledger(settings):
        pass


def test_a_full_disk_is_a_storage_error(settings: Settings) -> None:
    """When the ledger cannot grow, no intent is made, and what was there stays."""
    with open_ledger(settings) as ledger:
        ledger.take_in("sends", 2, {}, NOTHING)
        for engine in (ledger._engine, ledger._durable):
            sa.event.listen(
                engine, "checkout", lambda raw, *_: raw.execute("PRAGMA max_page_count = 1").close()
            )
        with pytest.raises(StorageError, match="full"):
            ledger.intend("sends", rows(*(randbytes(100).hex() for _ in range(500))), 10, again=False)
        assert ledger.outcomes()["sends"] == Outcomes(2, pending=2)


def test_a_second_push_is_refused_while_one_is_under_way(tmp_path: Path) -> None:
    """Of two pushes at once the second is refused, and the lock ends with its process."""
    code = f"""
import pathlib, sys
from pipelines.push.ledger.queries.sums import sums
from pipelines.push.ledger.lock import push_lock
with push_lock(pathlib.Path({str(tmp_path)!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert holder.stdout
    assert holder.stdin
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match="under way"), push_lock(tmp_path):
            pass
        holder.kill()
        holder.wait()
        with push_lock(tmp_path):
            pass


def test_packs_of_every_version_are_read(ledger: Ledger) -> None:
    """Digests stand beside what is compressed; packs written before that, with and without digests, say the same."""
    kept: dict[str, Any] = {
        "identity": ["a", "b"],
        "contact": ["+12000000000", None],
        "list_ref": [None, "100"],
    }
    digests = [2**62 + 8, -(2**61)]
    raw = array("q", digests).tobytes()
    older = zlib.compress(msgspec.msgpack.encode({**kept, "content": raw}), 1)
    assert decoded(older) == {**kept, "content": digests}
    oldest = zlib.compress(msgspec.msgpack.encode(kept), 1)
    assert decoded(oldest) == kept
    assert [known_by(pack) for pack in (older, oldest)] == [(kept["identity"], raw), (kept["identity"], b"")]
    ledger.take_in("sends", 2, {}, NOTHING)
    rows_now = LedgerRows.of([kept["identity"], digests, kept["contact"], kept["list_ref"]])
    ledger.intend("sends", rows_now, 10, again=False)
    with ledger.begin() as connection:
        ((written,),) = connection.execute(sa.select(PACKS.c.rows)).all()
    assert decoded(written) == {**kept, "content": digests}
    assert written.endswith(raw)
