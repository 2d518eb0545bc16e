"""The totals of contacts: the same keys and figures as a pull reads, and laxer only where that is meant."""

import json
from typing import Any

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.pull.decode.decoder import ReplyDecoder
from pipelines.pull.decode.row_keys import KEYLESS
from pipelines.pull.derived.contact_totals import columns

CONTACT: dict[str, Any] = {
    "phone_number": "+15551234567",
    "list_id": 1,
    "active": True,
    "send_count": 0,
    "click_count": 2,
    "revenue_total": 12.34,
    "conversion_count": 1,
}
AMOUNTS = st.integers(-(10**15), 10**15).map(lambda units: units / 10_000) | st.sampled_from([1e11, 1e12])
COUNTS = st.integers(-3, 3) | st.integers(2**62, 2**65) | st.sampled_from(["3", 2.0, 1.5, True, None])
ROWS = st.fixed_dictionaries(
    {
        "phone_number": st.sampled_from(
            ["+15551234567", "+15557654321", "", "5551234567", 15551234567, None]
        ),
        "list_id": st.sampled_from([1, 2, 2.0, "2", "", None, True, 2**70]),
        "active": st.sampled_from([True, False, "yes", None]),
        "send_count": COUNTS,
        "click_count": COUNTS,
        "revenue_total": AMOUNTS | st.sampled_from(["5", "2.25", None]),
        "conversion_count": COUNTS,
        "list_number": st.sampled_from([None, "+15550000001", 7]),
        "signup_date": st.sampled_from([None, "2025-03-15", "no date", 3]),
    }
)


def figures(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a push settles by; amounts in ten-thousandths."""
    revenue = row["revenue_total"]
    units = revenue if isinstance(revenue, int) else int(revenue.scaleb(4))
    key = row["phone_number"], row["list_id"], row["list_number"]
    return *key, units, row["conversion_count"], row["click_count"]


@given(rows=st.lists(ROWS, max_size=6))
@settings(max_examples=examples(40))
def test_what_a_pull_takes_has_the_same_key_and_figures(rows: list[dict[str, Any]]) -> None:
    """Every row with a usable key that the strict decoder takes is read the same, and no row without one is read."""
    body = json.dumps({"contacts": rows}).encode()
    decoded = ReplyDecoder("contacts").read(body)
    keyed = [key >= KEYLESS for key in decoded.seen.keys]
    strict = [figures(row) for row in decoded.rows.batch.to_pylist() if keyed[row["row"]]]
    lax = [figures(row) for row in columns(body, 0).to_pylist()]
    for one in strict:
        assert one in lax
        lax.remove(one)
    assert len(lax) <= sum(keyed) - len(strict)


@pytest.mark.parametrize(
    "change",
    [
        {"revenue_total": "12.34", "conversion_count": "1"},
        {"active": "perhaps", "send_count": None, "signup_date": 3},
        {"carrier": 5, "score": 1},
    ],
    ids=["figures as texts", "other columns", "unknown fields"],
)
def test_a_contact_that_a_pull_quarantines_is_read_where_its_totals_are_clear(change: dict[str, Any]) -> None:
    """Figures may be texts, and other columns are not looked at: such a contact must not leave rows in doubt."""
    body = json.dumps({"contacts": [{**CONTACT, **change}]}).encode()
    (row,) = columns(body, 7).to_pylist()
    assert figures(row) == ("+15551234567", 1, None, 123_400, 1, 2)
    assert row["reply"] == 7


@pytest.mark.parametrize(
    "change",
    [{"list_id": "1"}, {"list_id": 2**70}, {"phone_number": "5551234567"}, {"conversion_count": 2**70}],
)
def test_a_key_is_as_strict_as_in_a_pull(change: dict[str, Any]) -> None:
    """A key of another type is none, and a number that no column holds is no figure: the row is left out."""
    body = json.dumps({"contacts": [{**CONTACT, "revenue_total": "5"} | change]}).encode()
    assert columns(body, 0).num_rows == 0
