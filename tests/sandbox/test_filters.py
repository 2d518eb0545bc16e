"""Which filters the sandbox takes, and whom they choose, where the documentation gives no example."""

from datetime import datetime
from typing import Any

import pytest

from pipelines.sandbox.campaigns.filters import problem_of_filter
from pipelines.sandbox.campaigns.matching import chooses

NOW = datetime(2026, 11, 20)  # noqa: DTZ001 - the account's times have no zone
ROWS: list[dict[str, Any]] = [
    {"list_id": 1, "carrier": None, "is_valid": True, "last_clicked_at": "2026-11-19T00:00:00", "revenue_total": 5.0,
     "last_revenue_at": "2026-11-01T00:00:00", "conversion_count": 2, "custom_fields": {"tier": "gold"}},
    {"list_id": 2, "carrier": "a", "is_valid": False, "last_clicked_at": None, "revenue_total": 0.0,
     "last_revenue_at": None, "conversion_count": 0, "custom_fields": {"tier": 3}},
]  # fmt: skip


def condition(
    kind: str, field: str | None, operator: str, value: Any = None, unit: str | None = None
) -> dict[str, Any]:
    given = {"condition_type": kind, "field": field, "operator": operator, "value": value, "unit": unit}
    return {name: one for name, one in given.items() if one is not None}


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (condition("validation_status", None, "eq", "valid"), [0]),
        (condition("revenue", "has_revenue", "eq", value=True), [0]),
        (condition("revenue", "last_revenue_at", "exists"), [0]),
        (condition("revenue", "avg_revenue", "gte", 2), [0]),
        (condition("time", "last_clicked_at", "within", 10**9, "days"), [0]),  # as far back as there is time
        (condition("custom_field", "tier", "gt", 2), [1]),  # a text and a number cannot be compared
        (condition("on_dnc", None, "eq", value=True), []),
    ],
)
def test_a_condition_is_taken_and_chooses(given: dict[str, Any], chosen: list[int]) -> None:
    group = {"operator": "AND", "conditions": [given]}
    assert problem_of_filter(group) is None
    assert [place for place, row in enumerate(ROWS) if chooses(group, NOW)(row)] == chosen


@pytest.mark.parametrize(
    "given",
    [
        condition("revenue", "has_revenue", "gt", 1),
        condition("revenue", "last_revenue_at", "gte", 1),
        condition("revenue", "revenue_total", "within", 1, "days"),
    ],
)
def test_an_operator_that_does_not_go_with_the_field_is_refused(given: dict[str, Any]) -> None:
    problem = problem_of_filter({"operator": "OR", "conditions": [given]})
    assert problem is not None
    assert problem[0] == "invalid_revenue_operator"


def test_an_empty_filter_chooses_everybody() -> None:
    """No request brings one, and an account from before may hold it."""
    assert all(map(chooses({}, NOW), ROWS))
