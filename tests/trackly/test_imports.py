"""Reading the answers of the import endpoints: strict about counters, tolerant of the rest."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.trackly.client import Unreadable
from pipelines.trackly.imports import ImportAnswer, RecordError, read_import


def test_a_full_answer_is_read() -> None:
    """Counters, money to the cent, and the named errors are read."""
    body = b"""{"success_count": 7, "error_count": 2, "duplicates_skipped": 1, "invalid_phones": 1,
        "total_revenue": 1234.10, "errors": [
        {"index": 3, "id": "m3", "code": "invalid_phone", "error": "Invalid phone +15551234567"},
        {"index": 5, "code": "save_error", "error": "x"}]}"""
    assert read_import(body) == ImportAnswer(
        7,
        2,
        1,
        1,
        Decimal("1234.10"),
        (
            RecordError(3, "m3", "invalid_phone", "its phone number is not valid"),
            RecordError(5, None, "save_error", "the account could not save it"),
        ),
    )


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"success_count": 1}, ImportAnswer(1, 0)),
        ({"error_count": 2, "success_count": None}, ImportAnswer(None, 2)),
        ({"success_count": 1, "invalid_phones": ["+1", "+2"]}, ImportAnswer(1, 0, 0, 2)),
        ({"success_count": 1, "errors": None, "surprise": {}}, ImportAnswer(1, 0)),
        ({"success_count": 1, "errors": {"0": "x"}}, ImportAnswer(1, 0)),
        ({"success_count": 1, "total_revenue": "12.50"}, ImportAnswer(1, 0, total_revenue=Decimal("12.50"))),
        ({"success_count": 1, "total_revenue": 3}, ImportAnswer(1, 0, total_revenue=Decimal(3))),
        ({"success_count": 1, "total_revenue": "?"}, ImportAnswer(1, 0)),
        ({"success_count": 1, "total_revenue": True}, ImportAnswer(1, 0)),
        (
            {"error_count": 3, "errors": ["x", {}, {"index": "1", "id": 17, "code": None}]},
            ImportAnswer(
                None,
                3,
                errors=(
                    RecordError(None, None, "", ""),
                    RecordError(None, None, "", ""),
                    RecordError(1, "17", "", ""),
                ),
            ),
        ),
    ],
)
def test_what_is_missing_is_tolerated(body: object, answer: ImportAnswer) -> None:
    """One counter is enough; all else may be missing or of another type."""
    assert read_import(json.dumps(body).encode()) == answer


ONE = ImportAnswer(1, 0)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'\xef\xbb\xbf{"success_count": 1}', ONE),
        (b' \r\n\t{"success_count": 1}\n\n', ONE),
        (b'{"success_count": 1}\x00', ONE),
        (b'{"success_count": "1"}', ONE),
        (b'{"success_count": " 1 ", "error_count": ""}', ONE),
        (b'{"success_count": 1.0, "error_count": 0e0}', ONE),
        (b'{"success_count": 1, "x": "\xff"}', ONE),
        (b'{"success_count": 1, "x": NaN, "y": [-Infinity, 1e999999999999999999999]}', ONE),
        (b'{"success_count": 1, "x": ' + b"9" * 5_000 + b"}", ONE),
        (b'{"success_count": 1, "total_revenue": NaN}', ONE),
        (b'{"success_count": 1, "total_revenue": Infinity}', ONE),
        (b'{"success_count": 1, "total_revenue": 1e5000000}', ONE),
        (b'{"success_count": 1, "total_revenue": 2.50, "x": NaN}', ImportAnswer(1, 0, 0, 0, Decimal("2.50"))),
        ('{"success_count": 1}'.encode("utf-16"), ONE),
        (
            b'{"error_count": 1, "errors": [{"index": 3.0, "id": "\xe9", "code": "x", "error": "\\ud83d"}]}',
            ImportAnswer(None, 1, errors=(RecordError(3, "\ufffd", "x", "?"),)),
        ),
    ],
)
def test_bad_bytes_and_numbers_are_accepted(body: bytes, answer: ImportAnswer) -> None:
    """What a pull bears in its pages does not spoil the counters of an answer."""
    assert read_import(body) == answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"error": "oops", "code": "missing_records"}',
        b'{"success_count": 1, "error_count"',
        b'{"success_count": "one"}',
        b'{"success_count": NaN}',
        b'{"success_count": Infinity, "error_count": 0}',
        b'{"success_count": "1e99"}',
        b'{"success_count": 1, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"success_count": true}',
        b'{"success_count": -1}',
        b'{"success_count": 1.5}',
        b'{"success_count": 1, "error_count": "none"}',
        b'{"success_count": "", "error_count": null}',
    ],
)
def test_without_counters_it_is_no_answer(body: bytes) -> None:
    """A body without sound counters is Unreadable."""
    with pytest.raises(Unreadable):
        read_import(body)


@given(st.integers(0, 1000), st.integers(0, 1000), st.data())
def test_a_truncated_answer_is_never_accepted(good: int, bad: int, data: st.DataObject) -> None:
    """An answer cut anywhere is Unreadable."""
    body = json.dumps({"success_count": good, "error_count": bad, "errors": [{"index": 0}]}).encode()
    with pytest.raises(Unreadable):
        read_import(body[: data.draw(st.integers(0, len(body) - 1))])
