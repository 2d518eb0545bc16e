"""Replies decoded once: what the scan sees of them is the same however they are read, and batches of them."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.pull.decode.decoder import ReplyDecoder
from pipelines.pull.decode.row_keys import KEYLESS
from pipelines.pull.draft import Draft
from pipelines.pull.replies.batches import Batch, StoredReply, read_rows, write_batch
from pipelines.pull.replies.spool import Spooled
from pipelines.trackly.failures import Unreadable
from schemas.registry import PULLED

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


def contacts(rows: list[Any]) -> bytes:
    return json.dumps({"contacts": rows, "pagination": {"page": 1, "total": len(rows)}}).encode()


@given(st.lists(CONTACT, max_size=8))
@settings(max_examples=examples(50))
def test_a_row_has_one_key_however_its_reply_is_read(given_rows: list[Row]) -> None:
    """A reply of the contract's shape, one with a field more, and one with bad rows show the same rows the same."""
    rows = [{**row, **FIGURES} for row in given_rows]
    more = [{**row, "score": 1} for row in rows]
    bad = [*rows, {"phone_number": None}, 7]
    decoder = ReplyDecoder("contacts")
    clean, wider, worse = (decoder.read(contacts(of)).seen for of in (rows, more, bad))
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


def test_keys_are_the_same_in_every_process() -> None:
    """Python's own hashes differ from process to process; a reply of an interrupted pull is compared by its keys."""
    body = contacts([{"phone_number": f"+1555{number:07}", "list_id": 1, **FIGURES} for number in range(5)])
    script = (
        "import sys; from pipelines.pull.decode.decoder import ReplyDecoder;"
        "print(ReplyDecoder('contacts').read(sys.stdin.buffer.read()).seen.keys)"
    )
    theirs = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "1"},
        input=body,
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert theirs.strip() == str(ReplyDecoder("contacts").read(body).seen.keys)


def test_a_field_is_missing_only_if_no_reply_names_it(tmp_path: Path) -> None:
    """One that is null throughout is there, be it in the first reply or the last."""
    row = {"phone_number": "+15551234567", "list_id": 1, **FIGURES}
    bodies = (
        contacts([{**row, "carrier": None}]),
        contacts([row]),
        contacts([{**row, "timezone": None}]),
    )
    missing = batch_of(tmp_path, "contacts", *bodies).missing
    assert missing is not None
    assert missing.isdisjoint({"carrier", "timezone", "phone_number"})
    assert {"line_type", "signup_date", "custom_fields"} <= missing


def test_a_batch_names_the_reply_and_the_key_of_each_row(tmp_path: Path) -> None:
    """Good rows and bad ones name the page that they came from; a batch without replies has no rows."""
    batch = batch_of(tmp_path, "lists", b'{"lists": [{"id": 1}, {"id": "bad"}]}', b'{"lists": [{"id": 2}]}')
    rows = read_rows(batch).to_pylist()
    assert [(row["id"], row["page"], row["row"]) for row in rows] == [(1, 1, 0), (2, 2, 0)]
    assert len({row["row_key"] for row in rows}) == 2
    assert pq.read_table(*batch.bad).select(["page", "row"]).to_pylist() == [{"page": 1, "row": 1}]
    assert [(page.page, page.rows) for page in batch.pages] == [(1, 2), (2, 1)]
    empty = batch_of(tmp_path / "empty", "lists")
    assert (read_rows(empty).num_rows, empty.bad, empty.pages, empty.missing) == (0, (), [], None)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"lists": 3}', b'{"lists": [{"id": 1}', b'{"lists": [{"id": "\xff"}]}']
)
def test_what_is_no_reply_is_unreadable(body: bytes) -> None:
    """Whatever else comes in place of a reply is refused, so that it is asked for again."""
    with pytest.raises(Unreadable):
        ReplyDecoder("lists").read(body)


def batch_of(folder: Path, name: str, *bodies: bytes) -> Batch:
    """Replies, as the scan keeps them, in one batch."""
    draft = Draft(folder, PULLED[name], "s")
    draft.work.mkdir(parents=True)
    decoder = ReplyDecoder(name)
    replies = [StoredReply(_spooled(body, page), decoder.read(body)) for page, body in enumerate(bodies, 1)]
    return write_batch(draft, 0, replies)


def _spooled(body: bytes, page: int) -> Spooled:
    when = datetime.now(UTC)
    return Spooled(
        path="",
        offset=0,
        size=len(body),
        page=page,
        request="",
        sent_at=when,
        received_at=when,
        total=None,
    )
