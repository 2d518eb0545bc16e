"""Selects the contacts of an audience's filter.

For undocumented cases: a contact that never clicked counts as having clicked long ago (`Options.never_is_old`), a
value that cannot be compared does not match, and no contact is on a block list. What does not belong here: which
filters are refused (`filters`).
"""

import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pipelines.sandbox.replies import Row

Test = Callable[[Row], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda found, values: found in values,
    "not_in": lambda found, values: found not in values,
    "contains": lambda found, part: str(part).lower() in str(found).lower(),
}
TIMES = ("within", "not_within", "before", "after")
"""Operators that compare a time with a number of units before now."""
NO_VALUE = ("exists", "not_exists")
"""Operators that take no value."""
_PLAIN = ("carrier", "timezone")


def chooses(group: Row, now: datetime, *, never_is_old: bool = True) -> Test:
    """Return the test for a filter, or for a group in it.

    Args:
        group: `operator`, `conditions`, `groups`; an empty group selects everyone.
        now: the time from which `within` counts back.
        never_is_old: whether a missing time counts as older than any other.
    """
    parts = [_condition(one, now, never_is_old) for one in group.get("conditions") or ()]
    parts += [chooses(one, now, never_is_old=never_is_old) for one in group.get("groups") or ()]
    if not parts:
        return lambda _: True
    some = any if group.get("operator") == "OR" else all
    return lambda row: some(part(row) for part in parts)


def type_of(condition: Mapping[str, Any]) -> Any:
    """A condition's type, in either spelling."""
    return condition.get("condition_type", condition.get("conditionType"))


def field_of(condition: Mapping[str, Any]) -> Any:
    """Return the field of a condition."""
    return condition.get("field", condition.get("field_name"))


def _condition(condition: Row, now: datetime, never_is_old: bool) -> Test:
    found = _value(condition)
    if condition["operator"] in NO_VALUE:
        wanted = condition["operator"] == "exists"
        test: Test = lambda row: (found(row) is not None) == wanted  # noqa: E731 - one of three
    elif condition["operator"] in TIMES:
        test = _in_time(condition, found, now, never_is_old)
    else:
        test = _compared(condition, found)
    on = condition.get("list_id", condition.get("listId"))
    return test if on is None else lambda row: row["list_id"] == on and test(row)


def _value(condition: Row) -> Callable[[Row], Any]:
    """Return a function that gets a condition's value from a contact."""
    kind, name = type_of(condition), field_of(condition)
    if kind in _PLAIN:
        return lambda row: row[kind]
    if kind == "custom_field":
        return lambda row: row["custom_fields"].get(name)
    if kind == "on_dnc":
        return lambda _: False
    if kind == "validation_status":
        return lambda row: "valid" if row["is_valid"] else "invalid"
    if name == "has_revenue":
        return lambda row: row["revenue_total"] > 0
    if name == "avg_revenue":
        return lambda row: row["revenue_total"] / row["conversion_count"] if row["conversion_count"] else None
    return lambda row: row.get(name)


def _in_time(condition: Row, found: Callable[[Row], Any], now: datetime, never_is_old: bool) -> Test:
    try:
        since = now - timedelta(**{condition["unit"]: condition["value"]})
        border = f"{since:%Y-%m-%dT%H:%M:%S}"
    except OverflowError:
        border = ""
    newer = condition["operator"] in ("within", "after")

    def test(row: Row) -> bool:
        value = found(row)
        if value is None:
            return not newer and never_is_old
        return bool(value >= border) == newer

    return test


def _compared(condition: Row, found: Callable[[Row], Any]) -> Test:
    compare, wanted = _COMPARE[condition["operator"]], condition.get("value")

    def test(row: Row) -> bool:
        value = found(row)
        try:
            return value is not None and compare(value, wanted)
        except TypeError:
            return False

    return test
