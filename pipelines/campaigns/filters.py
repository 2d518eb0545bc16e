"""Translates an audience's filter from JSON to an SQL condition over `contacts`; reads and runs nothing.

`least` and `most` are the two interpretations of undocumented cases; see `conditions`. Groups have no negation, so a
contact that meets `least` also meets `most`. A contact without a value meets no comparison. What does not belong
here: counting (`counts`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pipelines.campaigns.conditions import Context, Sql, Untranslatable, condition_sql, custom_field, shown

MOST_DEPTH = 50
MOST_CONDITIONS = 1_000
_MOST_CHARACTERS = 1_000_000
_GROUP = ("operator", "conditions", "groups")
_NO_FILTER = "no filter, as of an audience of fixed contacts"
_TOO_DEEP = f"groups nested more than {MOST_DEPTH} deep"


class Translation(NamedTuple):
    """A filter in SQL, or the reason why it cannot be translated.

    Attributes:
        sql: the test in both forms; None if the filter cannot be translated.
        reason: why not; None if it can.
    """

    sql: Sql | None
    reason: str | None


def translate(
    filter_json: str | None,
    as_of: datetime,
    *,
    source_lists: Sequence[int] | None = None,
    unknown: Mapping[str, str] | None = None,
    custom: Any = custom_field,
) -> Translation:
    """Translate an audience's filter to a test of a row of `contacts`.

    Args:
        filter_json: the filter as the API sent it.
        as_of: the time from which `within` counts back: when the contacts were read.
        source_lists: ids of the audience's lists; None or empty for all.
        unknown: columns of contacts that cannot be used, each with the reason.
        custom: the SQL of a custom field's text, by the field's name.
    """
    context = Context(as_of, unknown or {}, custom)
    try:
        parsed = _parsed(filter_json)
        _see_that_bounded(parsed)
        sql = _group(parsed, context, source_lists or ())
    except Untranslatable as reason:
        return Translation(None, str(reason))
    lists = _lists(source_lists)
    return Translation(Sql(lists + sql.least, lists + sql.most), None)


def _lists(source_lists: Sequence[int] | None) -> str:
    return f"list_id IN ({', '.join(str(int(one)) for one in source_lists)}) AND " if source_lists else ""


def _parsed(text: str | None) -> Any:
    if not text:
        raise Untranslatable(_NO_FILTER)
    if len(text) > _MOST_CHARACTERS:
        raise Untranslatable("a filter too long")
    try:
        found = json.loads(text)
    except RecursionError:
        raise Untranslatable(_TOO_DEEP) from None
    except ValueError:
        raise Untranslatable("a filter that is no JSON") from None
    if not found:
        raise Untranslatable(_NO_FILTER)
    return found


def _see_that_bounded(group: Any) -> None:
    """Check the size before the translation: a very deep filter must not fill the memory or the stack."""
    level, conditions = [group], 0
    for _ in range(MOST_DEPTH):
        conditions += sum(len(_list(one, "conditions")) for one in level)
        level = [inner for one in level for inner in _list(one, "groups")]
        if conditions + len(level) > MOST_CONDITIONS:
            raise Untranslatable(f"more than {MOST_CONDITIONS:,} conditions")
        if not level:
            return
    raise Untranslatable(_TOO_DEEP)


def _list(group: Any, name: str) -> list[Any]:
    if not isinstance(group, dict):
        raise Untranslatable("a group that is no object")
    found = group.get(name)
    if found is not None and not isinstance(found, list):
        raise Untranslatable(f"{name} that are no list")
    return found or []


def _group(group: Mapping[str, Any], context: Context, lists: Sequence[int]) -> Sql:
    for name, value in group.items():
        if name not in _GROUP and value is not None:
            raise Untranslatable(f"the key {shown(name)} of a group is not documented")
    parts = list(_parts(group, context, lists))
    if not parts:
        raise Untranslatable("a group without conditions")
    glue = f" {_operator(group, len(parts))} "
    return Sql(f"({glue.join(part.least for part in parts)})", f"({glue.join(part.most for part in parts)})")


def _operator(group: Mapping[str, Any], parts: int) -> str:
    operator = group.get("operator")
    if operator is None and parts == 1:
        return "AND"
    if str(operator).upper() not in ("AND", "OR"):
        raise Untranslatable(f"the group operator {shown(operator)} is not documented")
    return str(operator).upper()


def _parts(group: Mapping[str, Any], context: Context, lists: Sequence[int]) -> Iterator[Sql]:
    for condition in _list(group, "conditions"):
        yield _on_list(condition, condition_sql(condition, context), lists)
    for inner in _list(group, "groups"):
        yield _group(inner, context, lists)


def _on_list(condition: Mapping[str, Any], sql: Sql, lists: Sequence[int]) -> Sql:
    """Limit a condition to the contact of its list, which must be one of the audience's lists."""
    on = condition.get("list_id", condition.get("listId"))
    if on is None:
        return sql
    if isinstance(on, bool) or not isinstance(on, int):
        raise Untranslatable("a list id that is no number")
    if lists and on not in lists:
        raise Untranslatable("a condition on another list than those that are drawn from is not documented")
    return Sql(f"(list_id = {on} AND {sql.least})", f"(list_id = {on} AND {sql.most})")
