"""Reading page replies: whole or not at all."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.trackly.client import TracklyClient, Unreadable
from pipelines.trackly.replies.pages import Page, get_page, read_page

read = read_page("contacts")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A page with any rows, any other keys, and non-ASCII text escaped or not."""
    other = draw(st.dictionaries(st.text(), values, max_size=2))
    page = other | {"contacts": draw(st.lists(values, max_size=5)), "pagination": {"page": 1}}
    return json.dumps(page, ensure_ascii=draw(st.booleans())).encode()


@given(bodies(), st.data())
def test_a_truncated_body_is_never_accepted(body: bytes, data: st.DataObject) -> None:
    """A body cut anywhere is Unreadable, however it is cut."""
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    with pytest.raises(Unreadable):
        read(cut)


@given(bodies())
def test_rows_are_handed_on_as_they_came(body: bytes) -> None:
    """The rows of a whole body are the array of the envelope, and other keys are named."""
    whole = json.loads(body)
    page = read(body)
    assert json.loads(page.rows) == whole["contacts"]
    assert page.page == 1
    assert page.other == tuple(sorted(whole.keys() - {"contacts", "pagination"}))


def test_pagination_is_read() -> None:
    """All four numbers are read, and what else is in there is tolerated."""
    body = b'{"contacts":[],"pagination":{"page":2,"per_page":50,"total":51,"total_pages":2,"next":null}}'
    assert read(body) == Page(b"[]", 2, 50, 51, 2, ())


@pytest.mark.parametrize(
    ("written", "total"),
    [
        ("3", 3),
        ('"3"', 3),
        ("3.0", 3),
        ("3.5", None),
        ("true", None),
        ("-1", None),
        ("1e30", None),
        ("[]", None),
    ],
)
def test_a_total_that_makes_no_sense_is_none(written: str, total: int | None) -> None:
    """Numbers may be written as text or with a point; what is no count is ignored."""
    assert (
        read_page("contacts")(b'{"contacts":[],"pagination":{"total":%b}}' % written.encode()).total == total
    )


@pytest.mark.parametrize("tail", [b"", b',"pagination":null', b',"pagination":[]', b',"pagination":{}'])
def test_pagination_may_be_absent(tail: bytes) -> None:
    """Without pagination, as for lists, the numbers are None."""
    assert read_page("lists")(b'{"lists":[{"id":1}]' + tail + b"}") == Page(
        b'[{"id":1}]', None, None, None, None, ()
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty"),
        (b"  ", "the body is empty"),
        (b"<!doctype html><html>", "HTML instead of JSON"),
        (b'{"contacts":[', "not JSON, or cut off"),
        (b'{"contacts":[]}x', "not JSON, or cut off"),
        (b'{"contacts":["\xff"]}', "not JSON, or cut off"),
        (b'{"contacts":[NaN]}', "not JSON, or cut off"),
        (b"[" * 5000, "another shape"),
        (b'{"contacts":' + b"[" * 5000, "nested too deeply"),
        (b"[]", "another shape"),
        (b"null", "another shape"),
        (b'{"data":{"contacts":[]}}', "no 'contacts'"),
        (b'{"contacts":null', "not JSON, or cut off"),
        (b'{"error":"Contacts are not to be had"}', "no 'contacts'"),
        (b'{"success":true}', "no 'contacts'"),
        (b'{"pagination":{"total":3}}', "no 'contacts'"),
        (b'{"pagination":{}}', "no 'contacts'"),
        (b'{"contacts":{}}', "not an array"),
    ],
)
def test_other_bodies_are_unreadable(body: bytes, reason: str) -> None:
    """What is not a page is Unreadable, with a reason of a few words."""
    with pytest.raises(Unreadable, match=reason):
        read(body)


def test_get_page_asks_for_the_parameters_given(wire: Any) -> None:
    """Page numbers that are None are left out, and filters are escaped."""

    async def run() -> list[bytes]:
        async with (
            wire.serve(wire.reply({"lists": []})) as server,
            TracklyClient(server.settings()) as client,
        ):
            await get_page(client, "/lists", "lists")
            await get_page(client, "/lists", "lists", page=2, per_page=10, list_number="+1555", active="true")
            return [head.split()[1] for head in server.heads]

    assert asyncio.run(run()) == [
        b"/api/v2/lists",
        b"/api/v2/lists?list_number=%2B1555&active=true&page=2&per_page=10",
    ]


@pytest.mark.parametrize(
    "body", [b'{"contacts":null,"pagination":null}', b"{}", b'{"pagination":{"total":0}}']
)
def test_null_or_nothing_in_place_of_rows_is_none(body: bytes) -> None:
    """Rows that are null, and rows that are left out where there are none, are an empty page that says so."""
    page = read_page("contacts")(body)
    assert (page.rows, page.absent) == (b"[]", True)
