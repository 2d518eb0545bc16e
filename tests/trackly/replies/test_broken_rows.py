"""Rows that are no JSON: they alone are quarantined, and bodies that are cut off stay unreadable."""

import json

import pytest

from pipelines.privacy import KEEP_ALL, Privacy
from pipelines.pull.decode.decoder import DecodedReply, ReplyDecoder
from pipelines.pull.decode.row_keys import KEYLESS
from pipelines.pull.replies.accept import Acceptance
from pipelines.trackly.client import Unreadable
from pipelines.trackly.replies.broken_rows import FAULT, HALF

lists = Acceptance(KEEP_ALL, "lists", ReplyDecoder("lists").read)
GOOD = b'{"id":1,"brand_name":"A [b], \\"c\\" {d}"}'
BAD = [
    b'{"id":2,"list_name":"bytes \xff"}',
    b'{"id":2,"notes":"bytes \xff"}',
    b'{"id":2,"contact_count":NaN}',
    b'{"id":2,"score":-Infinity}',
    b'{"id":2,"list_name":"a\nline"}',
    b'{"id":2,"notes":' + b"[" * 5000 + b"]" * 5000 + b"}",
]


def read(body: bytes) -> DecodedReply:
    """A reply, whatever page it is."""
    return lists.accepted(lambda _: None, body)[1]


@pytest.mark.parametrize("row", BAD)
def test_only_the_row_that_is_no_json_is_quarantined(row: bytes) -> None:
    """Its neighbours are read, and its text is kept as JSON text."""
    body = b'{"pagination":{"total":3},"lists":[%b, %b,%b]}' % (GOOD, row, GOOD.replace(b"1", b"3"))
    reply = read(body)
    seen, decoded = reply.seen, reply.rows
    assert (len(seen.keys), seen.total) == (3, 3)
    assert decoded.batch.column("id").to_pylist() == [1, 3]
    assert [json.loads(bad.raw) for bad in decoded.bad] == [row.decode(errors="replace")]


HALVES = [
    (rb'{"id":2,"list_name":"half \ud83d"}', {"id": 2, "list_name": "half \\ud83d"}),
    (rb' {"id":2,"list_name":"\uDE00\ud83d\ude00\\ud83d \""} ', {"id": 2, "list_name": '\\uDE00😀\\ud83d "'}),
    (rb'{"id":2,"x":{"\ud83d":["\ud83d\ud83d"]}}', {"id": 2, "x": {"\\ud83d": ["\\ud83d\\ud83d"]}}),
]


@pytest.mark.parametrize(("row", "kept"), HALVES)
def test_half_of_a_character_is_written_out_and_named(row: bytes, kept: dict[str, object]) -> None:
    """The row stays an object whose key can be read, whole characters stay, and it is no less bad a second time."""
    again = row
    for _ in range(2):
        reply = read(b'{"lists":[%b,%b]}' % (GOOD, again))
        (bad,) = reply.rows.bad
        assert (len(set(reply.seen.keys)), min(reply.seen.keys) >= KEYLESS) == (2, True)
        assert bad.reason == HALF == "text with half of a character (a lone surrogate)"
        assert json.loads(bad.raw) == {**kept, FAULT: HALF}
        again = bad.raw


def test_halves_of_characters_are_hashed_like_whole_ones() -> None:
    """A contact with one is filtered as others are, and keeps the key that it has in other replies."""
    privacy = Privacy(b"secret" * 6, True)
    contacts = Acceptance(privacy, "contacts", ReplyDecoder("contacts").read)
    row = rb'{"phone_number":"+15551234567","list_id":1,"carrier":"\ud83d","custom_fields":{"a":"\ud83d"}}'
    text, reply = contacts.accepted(lambda _: None, b'{"contacts":[%b]}' % row)
    assert b"5551234567" not in text
    (bad,) = reply.rows.bad
    assert bad.reason == HALF
    assert json.loads(bad.raw)["phone_number"] == privacy.phone("+15551234567")
    assert json.loads(bad.raw)["custom_fields"] is None


def test_a_mark_of_the_byte_order_is_no_harm() -> None:
    """What some servers send before the first character is passed over."""
    assert len(read(b'\xef\xbb\xbf{"lists":[%b]}' % GOOD).seen.keys) == 1


@pytest.mark.parametrize("row", BAD)
def test_a_body_that_is_cut_off_stays_unreadable(row: bytes) -> None:
    """Quotes are not put round what did not arrive."""
    body = b'{"lists":[%b,%b],"pagination":{}}' % (GOOD, row)
    for length in range(0, len(body) - 1, max(7, len(body) // 50)):
        with pytest.raises(Unreadable):
            read(body[:length])
