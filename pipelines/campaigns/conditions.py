"""Translates one condition of an audience's filter to SQL over a row of `contacts`.

If the vendor's documentation leaves open who meets a condition, the condition has two forms: `least`, which the
fewest contacts meet, and `most`. They differ for contacts without a value (never clicked: not clicked within 30
days?) and for upper and lower case in `contains`. Undocumented conditions are not translated. What does not belong
here: groups (`filters`).
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pipelines.text.sanitize import plain
from schemas.derived.tables import literal

MOST_VALUES = 10_000
"""Longest list of values of one condition."""
_LONGEST_NUMBER = 40
_DIGITS = 15
_SHOWN = 40
_UNITS = {
    "days": "days",
    "day": "days",
    "hours": "hours",
    "hour": "hours",
    "minutes": "minutes",
    "minute": "minutes",
}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_TIMES = ("last_clicked_at", "last_sent_at", "signup_date")
_COUNTS = ("send_count", "click_count", "conversion_count")
_NAMES = ("condition_type", "field", "field_name", "operator", "value", "unit", "list_id")
_COMPARISONS = {
    "eq": "=", "equals": "=", "gt": ">", "greater_than": ">", "gte": ">=", "lt": "<", "less_than": "<", "lte": "<=",
}  # fmt: skip
_UNEQUAL = ("ne", "neq", "not_eq", "not_equals")
_IN_NO_READ = {
    "on_dnc": "whether a contact is on the Do Not Call list is in no read of the API",
    "validation_status": "the validation status of a contact is in no read of the API",
}


class Untranslatable(Exception):  # noqa: N818 - it is an answer, and caught where it is turned into one
    """A filter, or a part of it, that SQL cannot express; its text is the reason."""


class Sql(NamedTuple):
    """A test of a contact, in the form that the fewest contacts meet and in the form that the most meet."""

    least: str
    most: str


class Context(NamedTuple):
    """The context of a translation.

    Attributes:
        as_of: the time from which `within` counts back, with a zone.
        unknown: columns of contacts that cannot be used, each with the reason.
        custom: the SQL of a custom field's text, by the field's name.
    """

    as_of: datetime
    unknown: Mapping[str, str]
    custom: Callable[[str], str]


def custom_field(name: str) -> str:
    """Return the text of a custom field as SQL: a path in which no character of the name is special."""
    return f"(custom_fields->>{_text('/' + name.replace('~', '~0').replace('/', '~1'))})"


def condition_sql(condition: Any, context: Context) -> Sql:
    """Translate a condition to SQL.

    Args:
        condition: from the API, in either spelling.
        context: see `Context`.

    Raises:
        Untranslatable: the vendor does not document its meaning, or contacts lack its field.
    """
    if not isinstance(condition, dict):
        raise Untranslatable("a condition is no object")
    given = {_snake(name): value for name, value in condition.items() if value is not None}
    for name in given:
        if name not in _NAMES:
            raise Untranslatable(f"the key {shown(name)} of a condition is not documented")
    kind = given.get("condition_type")
    translate = _TYPES.get(kind) if isinstance(kind, str) else None
    if translate is None:
        raise Untranslatable(
            _IN_NO_READ.get(str(kind)) or f"the condition type {shown(kind)} is not documented"
        )
    return translate(given, context)


def shown(value: Any) -> str:
    """Return a name from a filter for display in a reason."""
    text = plain(str(value))
    return f'"{text[:_SHOWN]}…"' if len(text) > _SHOWN else f'"{text}"'


def _snake(name: Any) -> str:
    """Return `conditionType` as `condition_type`, since replies have both."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: f"_{found[1].lower()}", str(name))


def _time(given: Mapping[str, Any], context: Context) -> Sql:
    return _moment(_field(given, _TIMES, context), given, context.as_of)


def _count(given: Mapping[str, Any], context: Context) -> Sql:
    return _number(_field(given, _COUNTS, context), given)


def _custom(given: Mapping[str, Any], context: Context) -> Sql:
    name = given.get("field", given.get("field_name"))
    if not isinstance(name, str) or not name:
        raise Untranslatable("a custom field without a name")
    _refuse_unknown("custom_fields", context)
    column = context.custom(name.removeprefix("custom_fields."))
    return _value(column, given)


def _carrier(given: Mapping[str, Any], _context: Context) -> Sql:
    return _value("carrier", given)


def _timezone(given: Mapping[str, Any], _context: Context) -> Sql:
    return _value("timezone", given)


def _revenue(given: Mapping[str, Any], context: Context) -> Sql:
    field = given.get("field", given.get("field_name"))
    match field:
        case "has_revenue":
            return _flag("(revenue_total > 0)", given)
        case "avg_revenue" | "revenue_average":  # "average order value" in the vendor's guide
            return _number("(revenue_total / nullif(conversion_count, 0))", given)
        case "last_revenue_at":
            return _moment(_field(given, ("last_revenue_at",), context), given, context.as_of)
    return _number(_field(given, ("revenue_total", "conversion_count"), context), given)


_TYPES: Mapping[str, Callable[[Mapping[str, Any], Context], Sql]] = {
    "time": _time,
    "count": _count,
    "custom_field": _custom,
    "custom": _custom,
    "carrier": _carrier,
    "timezone": _timezone,
    "revenue": _revenue,
}


def _field(given: Mapping[str, Any], known: tuple[str, ...], context: Context) -> str:
    """Return the column of a condition: one of a few names, so that no outside text gets into the SQL."""
    name = given.get("field", given.get("field_name"))
    if name not in known:
        raise Untranslatable(
            f"the field {shown(name)} is not documented for {given['condition_type']} conditions"
        )
    _refuse_unknown(str(name), context)
    return str(name)


def _refuse_unknown(column: str, context: Context) -> None:
    if column in context.unknown:
        raise Untranslatable(context.unknown[column])


def _moment(column: str, given: Mapping[str, Any], as_of: datetime) -> Sql:
    operator = given.get("operator")
    if operator in ("exists", "not_exists"):
        return _presence(column, given)
    comparison = {"within": ">=", "after": ">", "not_within": "<", "before": "<"}.get(str(operator))
    if comparison is None:
        raise _unknown_operator(given)
    test = f"{column} {comparison} TIMESTAMPTZ {literal(_border(given, as_of).isoformat())}"
    return _least_and_most(test, column) if comparison == "<" else Sql(test, test)


def _border(given: Mapping[str, Any], as_of: datetime) -> datetime:
    value, unit = _number_of(given.get("value")), _UNITS.get(str(given.get("unit")))
    if unit is None:
        raise Untranslatable(f"the unit {shown(given.get('unit'))} is not documented")
    if value < 0:
        raise Untranslatable("a time with a number below 0 is not documented")
    try:
        return as_of - timedelta(**{unit: value})
    except OverflowError:
        raise Untranslatable("a time that is too far away") from None


def _number(column: str, given: Mapping[str, Any]) -> Sql:
    operator = str(given.get("operator"))
    if operator in ("exists", "not_exists"):
        return _presence(column, given)
    if operator in ("in", "not_in"):
        numbers = [_as_number(value) for value in _values(given)]
        return _in(f"{column} IN ({', '.join(numbers)})", column, operator)
    number = _as_number(given.get("value"))
    if operator in _UNEQUAL:
        return _least_and_most(f"{column} <> {number}", column)
    if operator not in _COMPARISONS:
        raise _unknown_operator(given)
    test = f"{column} {_COMPARISONS[operator]} {number}"
    return Sql(test, test)


def _flag(test: str, given: Mapping[str, Any]) -> Sql:
    operator, value = given.get("operator", "eq"), given.get("value", True)
    wanted = {"true": True, "false": False}.get(str(value).lower())
    if wanted is None or operator not in ("eq", "equals", *_UNEQUAL):
        raise Untranslatable(f"{shown(given.get('field'))} compared with other than true or false")
    sql = test if wanted == (operator in ("eq", "equals")) else f"(NOT {test})"
    return Sql(sql, sql)


def _value(column: str, given: Mapping[str, Any]) -> Sql:
    """Translate a condition on a text that may be a number: custom fields, carriers, time zones."""
    operator = str(given.get("operator"))
    if operator in ("exists", "not_exists"):
        return _presence(column, given)
    if operator in ("in", "not_in"):
        return _in(_one_of(column, _values(given)), column, operator)
    value = given.get("value")
    if value is None:
        raise Untranslatable("a condition without a value")
    if operator in ("eq", "equals"):
        return Sql(_equal(column, value), _equal(column, value))
    if operator in _UNEQUAL:
        return _negated(_equal(column, value), column)
    if operator in ("contains", "not_contains"):
        return _contains(column, value, operator)
    if operator not in _COMPARISONS:
        raise _unknown_operator(given)
    test = f"try_cast({column} AS DOUBLE) {_COMPARISONS[operator]} {_as_number(value)}"
    return Sql(test, test)


def _contains(column: str, value: Any, operator: str) -> Sql:
    """Translate `contains`; whether upper and lower case differ is not documented."""
    if not isinstance(value, str):
        raise Untranslatable(f"{operator} with other than a text")
    exact = f"contains({column}, {_text(value)})"
    folded = f"contains(lower({column}), lower({_text(value)}))"
    return (
        Sql(exact, folded)
        if operator == "contains"
        else Sql(f"NOT {folded}", _or_null(f"NOT {exact}", column))
    )


def _equal(column: str, value: Any) -> str:
    """Translate equality; a number equals a text with that number, since imported files give numbers as texts."""
    if isinstance(value, bool):
        return f"({column} = '{str(value).lower()}')"
    if _is_number(value):
        return f"coalesce(try_cast({column} AS DOUBLE) = {_as_number(value)}, false)"
    if isinstance(value, str):
        return f"({column} = {_text(value)})"
    raise Untranslatable("a value that is neither text, number, true nor false")


def _one_of(column: str, values: Sequence[Any]) -> str:
    """Translate equality with one of several values.

    Texts are one list and numbers another, since long ORs are slow to plan.
    """
    numbers = list(map(_as_number, filter(_is_number, values)))
    texts = [value for value in values if not _is_number(value)]
    parts = [_equal(column, value) for value in texts if not isinstance(value, str)]
    if numbers:
        parts.append(f"coalesce(try_cast({column} AS DOUBLE) IN ({', '.join(numbers)}), false)")
    if written := [_text(value) for value in texts if isinstance(value, str)]:
        parts.append(f"{column} IN ({', '.join(written)})")
    return f"({' OR '.join(parts)})"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in(test: str, column: str, operator: str) -> Sql:
    return Sql(test, test) if operator == "in" else _negated(test, column)


def _presence(column: str, given: Mapping[str, Any]) -> Sql:
    """Translate `exists` and `not_exists`, which take no value; a value of true changes nothing."""
    operator = given["operator"]
    if given.get("value") not in (None, True, ""):
        raise Untranslatable(f"{operator} with a value is not documented")
    sql = f"{column} IS {'NOT ' if operator == 'exists' else ''}NULL"
    return Sql(sql, sql)


def _negated(test: str, column: str) -> Sql:
    return Sql(f"({column} IS NOT NULL AND NOT {test})", f"({column} IS NULL OR NOT {test})")


def _least_and_most(test: str, column: str) -> Sql:
    """Build a test that contacts without a value may meet, which is not documented."""
    return Sql(test, _or_null(test, column))


def _or_null(test: str, column: str) -> str:
    return f"({test} OR {column} IS NULL)"


def _values(given: Mapping[str, Any]) -> list[Any]:
    value = given.get("value")
    values = value if isinstance(value, list) else [value]
    if not values or None in values:
        raise Untranslatable("a list of values that is empty, or holds none")
    if len(values) > MOST_VALUES:
        raise Untranslatable(f"a list of more than {MOST_VALUES:,} values")
    return values


def _number_of(value: Any) -> float:
    return float(_number_text(value))


def _number_text(value: Any) -> str:
    """Return a number as text; texts that are numbers count as numbers."""
    text = value.strip() if isinstance(value, str) else str(value)
    is_number = isinstance(value, str | int | float) and not isinstance(value, bool)
    fits = is_number and len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) is not None
    if not fits or not math.isfinite(float(text)):
        raise Untranslatable("a condition whose value must be a number and is none")
    return text.removeprefix("+")


def _as_number(value: Any) -> str:
    """Return a number as SQL."""
    text = _number_text(value)
    is_plain = text.removeprefix("-").isdigit() and len(text) <= _DIGITS
    return text if is_plain else f"{literal(text)}::DOUBLE"  # a decimal of forty digits fits no decimal type


def _text(value: str) -> str:
    """Return a text as an SQL string, whatever characters it has."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Untranslatable("a text with a character that no database keeps")
    return literal(value)


def _unknown_operator(given: Mapping[str, Any]) -> Untranslatable:
    operator, kind = shown(given.get("operator")), given["condition_type"]
    return Untranslatable(f"the operator {operator} is not documented for {kind} conditions")
