"""Refuses invalid filters of audiences with their codes: /api-reference/v2/audience-filter-dsl.

Six types of conditions are documented with codes; `on_dnc` and `validation_status` are in newer guides and are
accepted too. What does not belong here: which contacts a filter selects (`matching`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.sandbox.campaigns.matching import NO_VALUE, TIMES, field_of, type_of
from pipelines.sandbox.replies import Refusal, Row
from pipelines.sandbox.requests.value_checks import is_number, is_text
from pipelines.sandbox.requests.write_rules import is_plain

OF_A_CONDITION = (
    "condition_type", "conditionType", "field", "field_name", "operator", "value", "unit", "list_id", "listId"
)  # fmt: skip
"""Fields of a condition that are kept."""
MAX_DEPTH = 100
"""Largest depth of nested groups; the vendor states no limit."""
UNITS = ("days", "hours", "minutes")
_EQUALITY = ("eq", "ne")
_ORDER = ("gt", "gte", "lt", "lte")
_NUMBERS = (*_EQUALITY, *_ORDER)
_CHOICES = (*_EQUALITY, "in", "not_in")


@dataclass(frozen=True, slots=True)
class _Kind:
    """The values that a type of condition accepts; without fields it names none, or any."""

    operators: tuple[str, ...]
    fields: tuple[str, ...] = ()


KINDS = {
    "time": _Kind((*TIMES, *NO_VALUE), ("last_clicked_at", "last_sent_at", "signup_date")),
    "count": _Kind(_NUMBERS, ("send_count", "click_count", "conversion_count")),
    "custom_field": _Kind((*_CHOICES, *_ORDER, "contains", *NO_VALUE)),
    "carrier": _Kind((*_CHOICES, "contains")),
    "timezone": _Kind(_CHOICES),
    "revenue": _Kind(
        (*_NUMBERS, *TIMES, *NO_VALUE),
        ("has_revenue", "revenue_total", "avg_revenue", "conversion_count", "last_revenue_at"),
    ),
    "on_dnc": _Kind(_EQUALITY),
    "validation_status": _Kind(_CHOICES),
}


def problem_of_filter(group: object, depth: int = 1) -> Refusal | None:
    """Return the refusal for the first error in a filter or group.

    Args:
        group: of any shape.
        depth: of the group, from 1.
    """
    if depth > MAX_DEPTH:
        return "filter_too_deep", f"The sandbox takes groups nested at most {MAX_DEPTH} deep"
    group = group if isinstance(group, dict) else {}
    if (refusal := _problem_of_arrays(group)) is not None:
        return refusal
    conditions, groups = _array(group, "conditions"), _array(group, "groups")
    if group.get("operator") not in ("AND", "OR"):
        return "invalid_group_operator", "operator is AND or OR"
    problems = (
        *(problem_of_condition(one) for one in conditions),
        *(problem_of_filter(one, depth + 1) for one in groups),
    )
    return next((problem for problem in problems if problem is not None), None)


def _problem_of_arrays(group: Mapping[str, Any]) -> Refusal | None:
    """Return the refusal of a group's arrays, if any."""
    parts = {name: group.get(name) or [] for name in ("conditions", "groups")}
    for name, value in parts.items():
        if not isinstance(value, list):
            return "invalid_filter", f"{name} is an array"
    return None if any(parts.values()) else ("empty_filter_group", "A group needs a condition or a group")


def problem_of_condition(condition: object) -> Refusal | None:
    """Return the refusal of a condition, if any."""
    given: Row = condition if isinstance(condition, dict) else {}
    name = type_of(given)
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        return "invalid_condition_type", f"condition_type is one of {', '.join(KINDS)}"
    if name == "custom_field" and not is_text(field_of(given)):
        return "missing_custom_field_name", "The condition needs the name of a custom field"
    if kind.fields and field_of(given) not in kind.fields:
        return f"invalid_{name}_field", f"field is one of {', '.join(kind.fields)}"
    operators = _operators(kind, field_of(given))
    if given.get("operator") not in operators:
        return f"invalid_{name}_operator", f"operator is one of {', '.join(operators)}"
    return _problem_of_value(name, given) or _problem_of_place(given)


def _problem_of_place(given: Mapping[str, Any]) -> Refusal | None:
    """Return the refusal of a unit or a list, if any."""
    if given.get("unit") is not None and given["unit"] not in UNITS:
        return "invalid_time_unit", f"unit is one of {', '.join(UNITS)}"
    on = given.get("list_id", given.get("listId"))
    return None if on is None or type(on) is int else ("invalid_list_id", "list_id is a whole number")


def _operators(kind: _Kind, field: Any) -> tuple[str, ...]:
    """Return the operators for a field; of the revenue fields, one is a time and one is a flag."""
    if field == "last_revenue_at":
        return (*TIMES, *NO_VALUE)
    if field == "has_revenue":
        return _EQUALITY
    without = TIMES if kind is KINDS["revenue"] else ()
    return tuple(name for name in kind.operators if name not in without)


def _problem_of_value(name: str, given: Mapping[str, Any]) -> Refusal | None:
    operator, value = given["operator"], given.get("value")
    if operator in NO_VALUE:
        return None
    if not _fits(name, field_of(given), operator, value):
        return f"missing_{name}_value", f"{operator} needs a value of its own kind"
    if operator in TIMES and given.get("unit") not in UNITS:
        return "invalid_time_unit", f"unit is one of {', '.join(UNITS)}"
    return None


def _fits(name: str, field: Any, operator: str, value: Any) -> bool:
    """Whether a condition's value fits its type, field and operator."""
    if operator in ("in", "not_in"):
        return _are_plain(value)
    if operator in TIMES:
        return is_number(value) and bool(value >= 0)
    if name == "count" or (name == "revenue" and field != "has_revenue"):
        return is_number(value)
    return value != "" and is_plain(value)


def _are_plain(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(map(is_plain, values))


def _array(group: Mapping[str, Any], name: str) -> list[Any]:
    value = group.get(name)
    return value if isinstance(value, list) else []
