"""Which columns are fields: a misspelt one stops, another one is only named."""

from pathlib import Path

import pytest

from pipelines.errors import UsageError
from pipelines.push.values.columns import match
from schemas.registry import PUSHED

NEEDED = {
    "sends": ["id", "to_number", "timestamp", "list_id"],
    "clicks": ["message_id", "offer_id", "phone_number", "timestamp"],
    "revenue": ["message_id", "offer_id", "revenue"],
}


@pytest.mark.parametrize(
    ("dataset", "column", "field"),
    [
        ("revenue", "time stamp", "timestamp"),
        ("revenue", "recordId", "record_id"),
        ("revenue", "record-id", "record_id"),
        ("revenue", "Record.ID", "record_id"),
        ("revenue", "attribution type", "attribution_type"),
        ("revenue", "payuot", "payout"),
        ("revenue", "timestamp_x", "timestamp"),
        ("clicks", "sent_timestamp", "send_timestamp"),
        ("sends", "Messsage", "message"),
        ("sends", "mesage", "message"),
        ("sends", "Delivred", "delivered"),
        ("sends", "lenght", "length"),
    ],
)
def test_a_misspelt_column_stops(dataset: str, column: str, field: str) -> None:
    with pytest.raises(UsageError, match="nearly a field") as found:
        match(PUSHED[dataset], [*NEEDED[dataset], column], Path("a.csv"))
    assert f"`{column}` for `{field}`" in str(found.value)
    assert "Rename it or leave it out" in (found.value.remedy or "")


@pytest.mark.parametrize(
    ("dataset", "column"),
    [
        ("sends", "id2"),
        ("sends", "message_id"),
        ("sends", "messageId"),
        ("sends", "message_type"),
        ("sends", "sent_at"),
        ("sends", "send_time"),
        ("sends", "list_name"),
        ("sends", "delivery"),
        ("sends", "body"),
        ("clicks", "send_type"),
        ("clicks", "list_id"),
        ("revenue", "offer"),
        ("revenue", "record"),
        ("revenue", "amount"),
        ("revenue", "send_timestamp"),
        ("revenue", "currency"),
    ],
)
def test_another_column_is_only_named(dataset: str, column: str) -> None:
    found = match(PUSHED[dataset], [*NEEDED[dataset], column], Path("a.csv"))
    assert found.ignored == (column,)
    assert column not in found.places


def test_a_field_that_is_there_has_no_misspelling() -> None:
    found = match(PUSHED["sends"], [*NEEDED["sends"], "message", "messages"], Path("a.csv"))
    assert found.ignored == ("messages",)
