"""Who is in an audience, by plain Python: shares no code with the translation into SQL.

Two answers for each contact: with the narrow and with the wide reading of what the vendor does not document.
"""

import datetime as dt
import operator
import random
from typing import Any

Row = dict[str, Any]
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
_COMPARE = {"eq": operator.eq, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def meets(group: Row, row: Row, *, wide: bool) -> bool:
    """Whether a contact meets a filter."""
    parts = [_condition(one, row, wide) for one in group.get("conditions") or ()]
    parts += [meets(one, row, wide=wide) for one in group.get("groups") or ()]
    return (any if group["operator"].upper() == "OR" else all)(parts)


def names_other_list(group: Row, lists: Any) -> bool:
    """Whether a condition of a filter names a list that is not drawn from; without lists all are."""
    on = [one.get("list_id", one.get("listId")) for one in group.get("conditions") or ()]
    return bool(lists) and (
        any(one is not None and one not in lists for one in on)
        or any(names_other_list(one, lists) for one in group.get("groups") or ())
    )


def _condition(given: Row, row: Row, wide: bool) -> bool:
    kind = given.get("condition_type") or given.get("conditionType")
    on = given.get("list_id", given.get("listId"))
    if on is not None and row["list_id"] != on:
        return False
    value = _value_of(kind, given.get("field"), row)
    how, wanted = given["operator"], given.get("value")
    if how in ("exists", "not_exists"):
        return (value is not None) == (how == "exists")
    if how in ("not_within", "before", "ne", "not_in") and value is None:
        return wide
    if value is None:
        return False
    if given.get("unit"):
        border = NOW - dt.timedelta(**{given["unit"]: float(wanted)})
        return {"within": value >= border, "after": value > border}.get(how, value < border)
    return _compared(value, how, wanted, wide)


def _compared(value: Any, how: str, wanted: Any, wide: bool) -> bool:
    if how in ("in", "not_in"):
        return any(_equal(value, one) for one in wanted) == (how == "in")
    if how == "ne":
        return not _equal(value, wanted)
    if how == "contains":
        return wanted.lower() in value.lower() if wide else wanted in value
    if how == "eq":
        return _equal(value, wanted)
    try:
        return _COMPARE[how](float(value), float(wanted))
    except ValueError:
        return False


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool) and isinstance(value, str):
        return value == str(wanted).lower()
    if isinstance(wanted, int | float) and isinstance(value, str):
        try:
            return float(value) == wanted
        except ValueError:
            return False
    return bool(value == wanted)


def _value_of(kind: str, field: Any, row: Row) -> Any:
    match kind, field:
        case (("carrier" | "timezone"), _):
            return row[kind]
        case "custom_field", _:
            value = (row["custom_fields"] or {}).get(field)
            return str(value).lower() if isinstance(value, bool) else None if value is None else str(value)
        case _, "has_revenue":
            return row["revenue_total"] > 0
        case _, "avg_revenue":
            return row["revenue_total"] / row["conversion_count"] if row["conversion_count"] else None
    return row[field]


def some_filter(chance: random.Random, depth: int = 0) -> Row:
    """A filter of any shape, in either spelling; one in thirty cannot be said in SQL."""
    conditions = [_some_condition(chance) for _ in range(chance.randrange(1, 4))]
    group: Row = {"operator": chance.choice(["AND", "OR", "and"]), "conditions": conditions}
    if depth < 3 and chance.random() < 0.4:
        group["groups"] = [some_filter(chance, depth + 1) for _ in range(chance.randrange(1, 3))]
        if chance.random() < 0.2:
            group["conditions"] = []
    return group


NAMES = ("state", "score", "vip", "o'brien", 'x"y', "a/b~c", "}; DROP TABLE contacts; --", "städt.1", "")
TEXTS = (
    "CA",
    "ca",
    "TX",
    "5",
    "5.0",
    "true",
    "O'Hara",
    "'; DROP TABLE contacts; --",
    "%",
    "_",
    "Zürich",
    "\\",
)


def _some_condition(chance: random.Random) -> Row:
    kind = chance.choice(["time", "count", "custom_field", "carrier", "timezone", "revenue"])
    found: Row = {chance.choice(["condition_type", "conditionType"]): kind}
    if kind == "time":
        return found | _some_time(chance, chance.choice(["last_clicked_at", "last_sent_at", "signup_date"]))
    if kind == "count":
        found["field"] = chance.choice(["send_count", "click_count", "conversion_count"])
        return found | {"operator": chance.choice([*_COMPARE, "ne"]), "value": chance.randrange(6)}
    if kind == "revenue":
        return found | _some_revenue(chance)
    if kind == "custom_field":
        found["field"] = chance.choice(NAMES[:-1])
    if chance.random() < 0.2:
        found[chance.choice(["list_id", "listId"])] = chance.randrange(1, 4)
    how = chance.choice(["eq", "ne", "in", "not_in", "contains", "gte", "exists", "not_exists"])
    value: Any = chance.choice([*TEXTS, "Verizon", "America/Chicago"])
    if how in ("in", "not_in"):
        value = [value, chance.choice(TEXTS), 5]
    elif how == "gte":
        value = chance.choice([3, 4.5, "5"])
    elif how == "eq" and chance.random() < 0.3:
        value = chance.choice([5, True, False])
    return found | {"operator": how} | ({} if how.endswith("exists") else {"value": value})


def _some_time(chance: random.Random, field: str) -> Row:
    how = chance.choice(["within", "not_within", "before", "after", "exists", "not_exists"])
    if how.endswith("exists"):
        return {"field": field, "operator": how}
    unit, most = chance.choice([("days", 60), ("hours", 400), ("minutes", 9_000)])
    return {"field": field, "operator": how, "value": chance.randrange(most), "unit": unit}


def _some_revenue(chance: random.Random) -> Row:
    field = chance.choice(
        ["has_revenue", "revenue_total", "avg_revenue", "conversion_count", "last_revenue_at"]
    )
    if field == "has_revenue":
        return {"field": field, "operator": "eq", "value": chance.choice([True, False])}
    if field == "last_revenue_at":
        return _some_time(chance, field)
    return {"field": field, "operator": chance.choice([*_COMPARE]), "value": chance.choice([0, 1, 2.5, 12])}


def some_contact(chance: random.Random, number: int) -> Row:
    """A contact with any of its values missing; some people are on several lists."""

    def moment() -> dt.datetime | None:
        return chance.choice([None, NOW - dt.timedelta(minutes=chance.randrange(90_000))])

    def field() -> Any:
        return chance.choice([*TEXTS, 5, 5.5, True, False, None])

    return {
        "phone_number": f"+1555{number % 700:07}",
        "list_id": 1 + number // 700,
        "active": chance.random() < 0.8,
        "signup_date": moment(), "last_clicked_at": moment(), "last_sent_at": moment(), "last_revenue_at": moment(),
        "custom_fields": {name: field() for name in NAMES if chance.random() < 0.6},
        "carrier": chance.choice([None, "Verizon", "AT&T", "O'Hara"]),
        "timezone": chance.choice([None, "America/Chicago", "America/Los_Angeles", "Pacific/Honolulu"]),
        "send_count": chance.randrange(6), "click_count": chance.randrange(6),
        "conversion_count": (conversions := chance.randrange(4)),
        "revenue_total": conversions * chance.choice([0, 2.5, 12]),
    }  # fmt: skip
