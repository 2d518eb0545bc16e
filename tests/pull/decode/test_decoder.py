"""Replies read once: what the scan sees of them is the same however they are read, here or by the child."""

import asyncio
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import StorageError
from pipelines.pull.decode.batches import Part, joined, read_rows
from pipelines.pull.decode.decoder import Refiner
from pipelines.pull.decode.pool import ROWS_WORTH_A_PROCESS, refining
from pipelines.pull.decode.row_keys import KEYLESS
from pipelines.pull.decode.spool import Body, Spool, Spooled
from pipelines.trackly.failures import Unreadable

Row = dict[str, Any]
FIGURES = {"active": True, "send_count": 0, "click_count": 0, "revenue_total": 0, "conversion_count": 0}
CONTACT = st.fixed_dictionaries(
    {
        "phone_number": st.text(max_size=5) | st.sampled_from(["+15551234567", "+15557654321"]),
        "list_id": st.integers(-5, 5) | st.integers(-5, 5).map(float),
        "signup_date": st.none()
        | st.text(max_size=3)
        | st.sampled_from(["2025-03-15T14:30:00", "2025-03-15"]),
    }
)


def written(folder: Path, *replies: bytes) -> list[Body]:
    """Replies as they lie in a spool."""
    file, bodies, offset = folder / "bodies", [], 0
    file.write_bytes(b"".join(replies))
    for reply in replies:
        bodies.append(Body(str(file), offset, len(reply)))
        offset += len(reply)
    return bodies


def contacts(rows: list[Any]) -> bytes:
    return json.dumps({"contacts": rows, "pagination": {"page": 1, "total": len(rows)}}).encode()


@given(st.lists(CONTACT, max_size=8))
@settings(max_examples=150)
def test_a_row_has_one_key_however_its_reply_is_read(given_rows: list[Row]) -> None:
    """A reply of the contract's shape, one with a field more, and one with bad rows show the same rows the same."""
    rows = [{**row, **FIGURES} for row in given_rows]
    more = [{**row, "score": 1} for row in rows]
    bad = [*rows, {"phone_number": None}, 7]
    with TemporaryDirectory() as folder:
        refiner = Refiner("contacts", "s", Path(folder))
        clean, wider, worse = map(refiner.read, written(Path(folder), *map(contacts, (rows, more, bad))))
    assert clean.last == wider.last
    assert worse.keys[: len(rows)] == clean.keys
    keyed = [at for at, row in enumerate(rows) if re.fullmatch(r"\+[1-9][0-9]{6,14}", row["phone_number"])]
    assert [key >= KEYLESS for key in clean.keys] == [at in keyed for at in range(len(rows))]
    assert [clean.keys[at] for at in keyed] == [wider.keys[at] for at in keyed], "content is no part of a key"
    several = {(rows[at]["phone_number"], rows[at]["list_id"], rows[at]["signup_date"]) for at in keyed}
    assert len({clean.keys[at] for at in keyed}) == len(several)
    last = rows[-1] if len(rows) - 1 in keyed else None
    assert clean.last == (
        (last["phone_number"], str(int(last["list_id"])), str(last["signup_date"])) if last else ()
    )


def test_keys_are_the_same_in_every_process(tmp_path: Path) -> None:
    """Python's own hashes differ from process to process; some replies are read here and some by the child."""
    body = contacts([{"phone_number": f"+1555{number:07}", "list_id": 1, **FIGURES} for number in range(5)])
    (place,) = written(tmp_path, body)
    script = (
        "from pathlib import Path; from pipelines.pull.decode.decoder import Refiner;"
        "from pipelines.pull.decode.spool import Body;"
        f"print(Refiner('contacts', 's', Path('.')).read(Body({place.path!r}, 0, {place.size})).keys)"
    )
    theirs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert theirs == [str(Refiner("contacts", "s", tmp_path).read(place).keys)] * 2


def test_a_field_is_missing_only_if_no_reply_names_it(tmp_path: Path) -> None:
    """One that is null throughout is there, be it in the first reply or the last."""
    row = {"phone_number": "+15551234567", "list_id": 1, **FIGURES}
    bodies = written(
        tmp_path, contacts([{**row, "carrier": None}]), contacts([row]), contacts([{**row, "timezone": None}])
    )
    refiner = Refiner("contacts", "s", tmp_path)
    for page, body in enumerate(bodies, 1):
        refiner.read(body)
        refiner.keep(spooled(body, page))
    missing = refiner.cut(0).missing
    assert missing is not None
    assert missing.isdisjoint({"carrier", "timezone", "phone_number"})
    assert {"line_type", "signup_date", "custom_fields"} <= missing


def test_no_part_holds_a_reply_that_came_before_one_of_an_earlier_part(tmp_path: Path) -> None:
    """While the child comes up, and while both read: every row is in one part, of the time when it was kept."""

    async def run() -> list[Part]:
        cuts: list[list[asyncio.Future[Part]]] = []
        spool = Spool.open(tmp_path / "spool", "account")
        numbers = count()
        by_child: list[bool] = []
        async with refining("lists", "s", tmp_path) as both:
            both.expect(ROWS_WORTH_A_PROCESS)

            async def work(enough: asyncio.Event) -> None:
                while not enough.is_set():
                    body = spool.write(b'{"lists": [{"id": %d}, {"id": "bad"}]}' % next(numbers))
                    up = both._child is not None and not both._child.is_busy
                    seen = await both.read(body)
                    assert len(seen.keys) == 2
                    by_child.append(up)
                    when = datetime.now(UTC)
                    kept = spool.put("GET /lists", body, None, when, when)
                    both.keep(kept)
                    if kept.page % 7 == 0:
                        cuts.append(both.cut())
                    await asyncio.sleep(0.001)
                    if sum(by_child) > 20:
                        enough.set()

            enough = asyncio.Event()
            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                for _ in range(12):
                    group.create_task(work(enough))
            cuts.append(both.cut())
            parts = [joined([await part for part in cut]) for cut in cuts]
        spool.close()
        return parts

    parts = asyncio.run(run())
    pages = [[page.page for page in part.pages] for part in parts]
    assert sorted(page for part in pages for page in part) == list(range(1, sum(map(len, pages)) + 1))
    assert all(max(before) < min(after) for before, after in pairwise(filter(None, pages)))
    found = [sorted(read_rows(part)["page"].to_pylist()) for part in parts]
    assert found == [sorted(part) for part in pages]
    assert all(part.bad for part in parts if part.pages)


def test_what_was_dropped_is_in_no_part(tmp_path: Path) -> None:
    """A reply that was not the page asked for leaves nothing behind."""
    refiner = Refiner("lists", "s", tmp_path)
    first, second = written(tmp_path, b'{"lists": [{"id": 1}]}', b'{"lists": [{"id": 2}]}')
    refiner.read(first)
    refiner.read(second)
    refiner.drop(first)
    refiner.keep(spooled(second, 1))
    part = refiner.cut(0)
    assert read_rows(part)["id"].to_pylist() == [2]
    assert len(part.pages) == 1


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"lists": 3}', b'{"lists": [{"id": 1}', b'{"lists": [{"id": "\xff"}]}']
)
def test_what_is_no_reply_is_unreadable_here_and_by_the_child(tmp_path: Path, body: bytes) -> None:
    """The child's refusal is the same error, and it goes on."""

    async def run() -> tuple[str, int]:
        place, good = written(tmp_path, body, b'{"lists": [{"id": 1}]}')
        async with refining("lists", "s", tmp_path) as both:
            both.expect(ROWS_WORTH_A_PROCESS)
            assert both._child is not None
            with pytest.raises(Unreadable) as refused:
                await both._child.ask("read", place)
            return str(refused.value), len((await both.read(good)).keys)

    (place,) = written(tmp_path, body)
    with pytest.raises(Unreadable) as here:
        Refiner("lists", "s", tmp_path).read(place)
    assert asyncio.run(run()) == (str(here.value), 1)


def test_a_child_that_is_killed_is_an_error_that_says_so(tmp_path: Path) -> None:
    """Whoever waits for it is told, and so is whoever asks it afterwards."""

    async def run() -> None:
        (good,) = written(tmp_path, b'{"lists": [{"id": 1}]}')
        async with refining("lists", "s", tmp_path) as both:
            both.expect(ROWS_WORTH_A_PROCESS)
            child = both._child
            assert child is not None
            waiting = child.ask("read", good)
            child._process.kill()
            with pytest.raises(StorageError, match="was killed"):
                await waiting
            child._process.wait()
            with pytest.raises(StorageError, match="was killed"):
                await both.read(good)

    asyncio.run(run())


def spooled(body: Body, page: int) -> Spooled:
    when = datetime.now(UTC)
    return Spooled(
        body.path, body.offset, body.size, page=page, request="", sent_at=when, received_at=when, total=None
    )
