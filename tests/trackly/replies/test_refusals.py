"""The vendor's words in our errors."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.trackly.replies.refusals import safe_words, vendor_error


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "Bad page"}, "Bad page"),
        ({"error": "Bad page.", "code": "bad_page"}, "Bad page [bad_page]"),
        ({"error": "Bad", "code": "bad_page", "message": "from 1"}, "Bad - from 1 [bad_page]"),
        ({"error": "missing_records", "code": "missing_records"}, "missing_records"),
        ({"error": "same", "message": "same", "code": None}, "same"),
        ({"error": "x", "code": 17, "message": ["a"]}, "x - […] [17]"),
    ],
)
def test_an_error_body_is_quoted(body: object, words: str) -> None:
    """Error, message and code are quoted once each, whichever are there."""
    assert str(vendor_error(json.dumps(body).encode())) == words


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": null}', b'{"error": {"a": 1}}', b'{"err', b"\xff"]
)
def test_other_bodies_are_not_quoted(body: bytes) -> None:
    """Without an `error` text, nothing of the body is the vendor's words."""
    assert vendor_error(body) is None


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("to +15551234567 failed", "to [phone] failed"),
        ("/contacts/%2B15551234567", "/contacts/[phone]"),
        ("call 555-123-4567, now", "call [phone], now"),
        ("(+44 20 7946 0958)", "([phone])"),
        ("key trk_0123456789abcdef0123456789abcdef!", "key [key]!"),
        ("offer 66b1f0c2a4d5e6f708192a3b", "offer 66b1f0c2a4d5e6f708192a3b"),
        ("at 2025-03-15T14:30:00", "at 2025-03-15T14:30:00"),
        ("at most 1000 of 123456", "at most 1000 of 123456"),
        ("a number from -1000000000 to 1000000000.0", "a number from -1000000000 to 1000000000.0"),
        ("from 10000000001 to +10000000000", "from [phone] to [phone]"),
        ("from 2000000000 to 1000000-1000000", "from [phone] to [phone]"),
        ("two\nlines", "two lines"),
    ],
)
def test_phones_and_keys_are_masked(text: str, safe: str) -> None:
    """Phone numbers and keys are masked; ids, dates, counts and limits of amounts stay."""
    assert safe_words(text) == safe


@given(st.text())
def test_words_are_one_short_line(text: str) -> None:
    """Any text becomes one line of at most 200 characters."""
    safe = safe_words(text)
    assert len(safe) <= 200
    assert len(safe.splitlines()) <= 1
