"""Rows that are no JSON: they alone are set aside, and bodies that are cut off stay unreadable."""

import json

import pytest

from pipelines.privacy import KEEP_ALL
from pipelines.pull.decode.accept import Acceptance
from pipelines.pull.decode.decoder import DecodedReply, ReplyDecoder
from pipelines.trackly.client import Unreadable

lists = Acceptance(KEEP_ALL, "lists", ReplyDecoder("lists").read)
GOOD = b'{"id":1,"brand_name":"A [b], \\"c\\" {d}"}'
BAD = [
    b'{"id":2,"list_name":"half an emoji \\ud83d"}',
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
def test_only_the_row_that_is_no_json_is_set_aside(row: bytes) -> None:
    """Its neighbours are read, and its text is kept as JSON text."""
    body = b'{"pagination":{"total":3},"lists":[%b, %b,%b]}' % (GOOD, row, GOOD.replace(b"1", b"3"))
    reply = read(body)
    seen, decoded = reply.seen, reply.rows
    assert (len(seen.keys), seen.total) == (3, 3)
    assert decoded.batch.column("id").to_pylist() == [1, 3]
    assert [json.loads(bad.raw) for bad in decoded.bad] == [row.decode(errors="replace")]


def test_a_mark_of_the_byte_order_is_no_harm() -> None:
    """What some servers send before the first character is passed over."""
    assert len(read(b'\xef\xbb\xbf{"lists":[%b]}' % GOOD).seen.keys) == 1


@pytest.mark.parametrize("row", BAD)
def test_a_body_that_is_cut_off_stays_unreadable(row: bytes) -> None:
    """Quotes are not put round what did not arrive."""
    body = b'{"lists":[%b,%b],"pagination":{}}' % (GOOD, row)
    for length in range(0, len(body) - 1, 7):
        with pytest.raises(Unreadable):
            read(body[:length])
