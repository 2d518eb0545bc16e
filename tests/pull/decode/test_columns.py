"""Decoding replies: types, unknown fields, bad rows, times, money."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.privacy import KEEP_ALL
from pipelines.pull.decode.columns import Decoded
from pipelines.pull.decode.decoder import ReplyDecoder
from pipelines.pull.replies.accept import Acceptance
from schemas.values.instants import parse_instant

CONTACT: dict[str, Any] = {
    "phone_number": "+15550000001",
    "list_number": "+15550009999",
    "list_id": 1,
    "active": True,
    "signup_date": "2025-03-15T14:30:00",
    "signup_method": "api",
    "custom_fields": {"name": "Zoë", "n": 1.5},
    "carrier": None,
    "line_type": "CELL PHONE",
    "timezone": "America/New_York",
    "is_valid": True,
    "send_count": 3,
    "click_count": 1,
    "revenue_total": 12.34,
    "conversion_count": 1,
    "last_sent_at": None,
    "last_clicked_at": "2025-03-16T00:00:01",
    "in_workflow": False,
}


CONTACTS, REVENUE = ReplyDecoder("contacts"), ReplyDecoder("revenue")


def decode(*rows: Any) -> Decoded:
    return CONTACTS.read(json.dumps({"contacts": rows}).encode()).rows


def test_a_documented_row_arrives_field_by_field() -> None:
    """Every field of the documented example has its value and type, times are UTC, money is exact."""
    (row,) = decode(CONTACT).batch.to_pylist()
    assert row == {
        **CONTACT,
        "custom_fields": '{"name": "Zo\\u00eb", "n": 1.5}',
        "signup_date": dt.datetime(2025, 3, 15, 14, 30, tzinfo=dt.UTC),
        "last_clicked_at": dt.datetime(2025, 3, 16, 0, 0, 1, tzinfo=dt.UTC),
        "last_revenue_at": None,
        "revenue_total": Decimal("12.3400"),
        "extra": None,
        "row": 0,
    }


def test_a_row_that_is_not_utf8_is_quarantined() -> None:
    """A byte that is no UTF-8, in a text or in JSON that is kept as it came, quarantines that row and no other."""
    texts = ({**CONTACT, "carrier": "Zoë"}, {**CONTACT, "carrier": None, "custom_fields": {}}, CONTACT)
    body = json.dumps({"contacts": texts}, ensure_ascii=False).encode("latin-1")
    decoded = Acceptance(KEEP_ALL, "contacts", CONTACTS.read).accepted(lambda _: None, body)[1].rows
    assert [bad.row for bad in decoded.bad] == [0, 2]
    assert decoded.batch["row"].to_pylist() == [1]


def test_unknown_fields_are_kept_as_extra() -> None:
    """A field that the contract does not know goes to extra as JSON, and its name is reported."""
    decoded = decode(CONTACT, {**CONTACT, "score": 7, "tags": ["a", None]})
    assert decoded.unknown == {"score", "tags"}
    assert decoded.bad == []
    assert decoded.batch.column("extra").to_pylist()[0] is None
    assert json.loads(decoded.batch.column("extra").to_pylist()[1]) == {"score": 7, "tags": ["a", None]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"send_count": "3"}, "send_count: expected int, got str"),
        ({"revenue_total": "12"}, "revenue_total: expected float, got str"),
        ({"revenue_total": 1e12}, "revenue_total: expected float <= 100000000000.0"),
        ({"list_id": 2**63}, "list_id: expected int <= 9223372036854775807"),
        ({"active": None}, "active: expected bool, got null"),
        ({"signup_date": "yesterday"}, "signup_date: not an ISO 8601 time"),
        ({"phone_number": None}, "phone_number: expected str, got null"),
    ],
)
def test_a_row_of_the_wrong_shape_is_quarantined_alone(change: dict[str, Any], reason: str) -> None:
    """One bad row does not take its neighbours with it, keeps its raw JSON, and says why."""
    bad = {**CONTACT, **change}
    decoded = decode(CONTACT, bad, CONTACT)
    assert [(row.row, row.reason, json.loads(row.raw)) for row in decoded.bad] == [(1, reason, bad)]
    assert decoded.batch.column("row").to_pylist() == [0, 2]


def test_a_missing_required_field_is_named() -> None:
    """A row without a field that figures need is quarantined with the field's name."""
    row = {name: value for name, value in CONTACT.items() if name != "revenue_total"}
    assert [bad.reason for bad in decode(row).bad] == ["object missing required field revenue_total"]


def test_a_missing_optional_field_is_null() -> None:
    """A row without an optional field is published with null there."""
    row = {name: value for name, value in CONTACT.items() if name != "carrier"}
    assert decode(row).batch.column("carrier").to_pylist() == [None]


@pytest.mark.parametrize("row", [1, None, "text", [CONTACT]])
def test_what_is_no_object_is_quarantined(row: Any) -> None:
    """A row that is not a JSON object is kept raw."""
    assert [json.loads(bad.raw) for bad in decode(CONTACT, row).bad] == [row]


@given(cents=st.integers(-(10**15), 10**15))
def test_money_is_exact_to_four_decimals(cents: int) -> None:
    """Any amount within the bound arrives as the decimal that its JSON text says."""
    amount = Decimal(cents).scaleb(-4)
    rows = f'{{"revenue": [{{"revenue": {amount}}}]}}'.encode()
    batch = REVENUE.read(rows).rows.batch
    assert batch.column("revenue").to_pylist() == [amount]


@given(total=st.lists(st.decimals(0, 1000, places=2), min_size=1, max_size=30))
def test_float_noise_is_rounded_off(total: list[Decimal]) -> None:
    """A total that the API summed up in floats arrives as the sum of the amounts."""
    batch = decode({**CONTACT, "revenue_total": sum(map(float, total))}).batch
    assert batch.column("revenue_total").to_pylist() == [sum(total).quantize(Decimal("0.0001"))]


@given(
    moment=st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2200, 1, 1)),  # noqa: DTZ001 - naive on purpose
    zone=st.sampled_from(["", "Z", "+00:00", "+02:00", "-05:30"]),
)
def test_times_mean_one_instant_however_written(moment: dt.datetime, zone: str) -> None:
    """Naive times are UTC, offsets are honoured, alone and mixed with others in one reply."""
    text = moment.isoformat() + zone
    expected = dt.datetime.fromisoformat(text if zone else text + "+00:00")
    rows = [
        {**CONTACT, "signup_date": other} for other in (text, "2025-03-15T14:30:00Z", "2025-03-15T14:30:00")
    ]
    for some in (rows[:1], rows):
        assert decode(*some).batch.column("signup_date").to_pylist()[0] == expected
    assert parse_instant(text) == expected


@given(
    rows=st.lists(st.dictionaries(st.sampled_from([*CONTACT, "new"]), st.none() | st.integers() | st.text()))
)
def test_no_row_vanishes(rows: list[dict[str, Any]]) -> None:
    """Rows in the batch and bad rows together are the rows of the reply, whatever they hold."""
    try:
        decoded = decode(*rows)
    except UnicodeEncodeError:
        return
    places = [*decoded.batch.column("row").to_pylist(), *(bad.row for bad in decoded.bad)]
    assert sorted(places) == list(range(len(rows)))


PIECES = st.sampled_from(
    ["2024-05-01", "20240501", "0000-01-01", "0001-01-01", "9999-12-31", "2024-02-30", "1712010112345"]
)
CLOCKS = st.sampled_from(
    [
        *("", "T10", " 10", "T10:00", " 23:59:59", "T10:00:60", "T24:00", "T100000", "t10:00"),
        *("T10:00:00.", "T10:00:00.5", "T10:00:00.123456", "T10:00:00.1234567"),
    ]
)
ZONES = st.sampled_from(
    ["", "Z", "z", " UTC", "GMT", "+05", "-0530", "+05:30", "+24:00", "+23:59", "-12:60", "+5", " Z "]
)
TIMES = st.builds("{}{}{}".format, PIECES, CLOCKS, ZONES) | st.text("0123456789-:TZ +.,", max_size=26)


@given(one=TIMES, many=st.lists(st.none() | st.just("") | TIMES, max_size=3))
@example(one="2024-05-01T10", many=[])
@example(one="2024-05-01T10+05", many=["2024-05-01T10:00"])
@example(one="9999-12-31T23:59:59-05:30", many=[])
@example(one="0001-01-01T10:00:00+23:59", many=["2024-05-01T10:00:00Z"])
def test_columns_of_times_hold_the_grammar_exactly(one: str, many: list[str | None]) -> None:
    """Whatever stands beside it, a text is the instant of the one grammar, or its row is quarantined."""
    for texts in ([one], [one, one], [one, *many], [*many, one]):
        decoded = decode(*({**CONTACT, "signup_date": text} for text in texts))
        wanted = {at: parse_instant(text) if text else None for at, text in enumerate(texts)}
        bad = [at for at, text in enumerate(texts) if text and wanted[at] is None]
        assert sorted(row.row for row in decoded.bad) == bad
        assert dict(
            zip(decoded.batch["row"].to_pylist(), decoded.batch["signup_date"].to_pylist(), strict=True)
        ) == {at: instant for at, instant in wanted.items() if at not in bad}


@pytest.mark.parametrize(
    "column", ["signup_date", "last_sent_at", "is_valid", "in_workflow", "custom_fields", "last_revenue_at"]
)
def test_an_empty_text_is_no_value_in_an_optional_column(column: str) -> None:
    """Where no text belongs, an empty one is null; the row is not quarantined for it."""
    decoded = decode(CONTACT, {**CONTACT, column: ""}, {**CONTACT, column: "", "new": 1})
    assert decoded.bad == []
    assert decoded.batch[column].to_pylist()[1:] == [None, None]


def test_an_empty_text_is_kept_where_texts_belong() -> None:
    """An empty text may be what the account keeps; a required column without a value puts the row into quarantine."""
    decoded = decode({**CONTACT, "carrier": ""}, {**CONTACT, "send_count": ""})
    assert decoded.batch["carrier"].to_pylist() == [""]
    assert [bad.reason for bad in decoded.bad] == ["send_count: expected int, got str"]
    events = REVENUE.read(b'{"revenue": [{"revenue": 1, "id": "", "payout": ""}]}').rows.batch
    assert (events["id"].to_pylist(), events["payout"].to_pylist()) == ([None], [None])


def test_labels_may_be_numbers() -> None:
    """An id whose JSON type is not documented is text in the warehouse, however it is written."""
    rows = (
        b'{"revenue": [{"revenue": 1, "id": 7}, {"revenue": 2, "id": "a"}, {"revenue": 3, "offer_id": null}]}'
    )
    decoded = REVENUE.read(rows).rows
    assert decoded.bad == []
    assert decoded.batch.column("id").to_pylist() == ["7", "a", None]
