"""Rows of history in the form that the API takes: SQL from typed columns to the JSON text of a record.

What does not belong here: converting texts to typed columns (`formats`), and the identity of a row (`identity`).
"""

from collections.abc import Mapping
from itertools import groupby

from schemas.columns import Field, Kind
from schemas.derived.tables import literal

Presence = frozenset[tuple[str, bool]]
"""Facts about the rows of a query: (field, True) if all rows have a value, (field, False) if none has one."""


def joined(separator: str, values: Mapping[str, tuple[str, str]], presence: Presence = frozenset()) -> str:
    """Return SQL that joins the values of a row in one text; fields without a value are left out.

    Args:
        separator: SQL for the text between two values.
        values: by field, the SQL for the text before its value, and for the value.
        presence: facts about the rows. It changes no text; joining fields that all have a value takes half as long.
    """
    members = [(name, pair) for name, pair in values.items() if (name, False) not in presence]
    texts: list[str] = []
    for is_full, group in groupby(members, lambda member: (member[0], True) in presence):
        pairs = [pair for _, pair in group]
        if is_full:  # `concat` copies a value once, but would keep the text before a NULL
            texts.append(f"concat({f', {separator}, '.join(map(', '.join, pairs))})")
        else:
            texts += map(" || ".join, pairs)
    if len(texts) == 1 and (members[0][0], True) in presence:
        return texts[0]
    return f"concat_ws({separator}, {', '.join(texts) or 'NULL'})"


def record(fields: tuple[Field, ...], presence: Presence = frozenset(), end: str = "}") -> str:
    """Return SQL for the JSON text of a row as the API takes it: fields with a value, times with Z, exact decimals.

    `record_id` is not sent: it is a field of ours (/api-reference/v2/history/import-revenue has no such field).

    Args:
        fields: the fields of the dataset.
        presence: facts about the rows.
        end: the end of the text.
    """
    members = {
        field.name: (f"'\"{field.name}\":'", _json(field)) for field in fields if field.name != "record_id"
    }
    return f"concat('{{', {joined(literal(','), members, presence)}, {literal(end)})"


def _json(field: Field) -> str:
    """Return SQL for a value as JSON; it yields NULL if there is no value."""
    match field.kind:
        case Kind.TEXT:
            return f"CAST(to_json({field.name}) AS VARCHAR)"
        case Kind.MONEY:
            return f"rtrim(rtrim(CAST({field.name} AS VARCHAR), '0'), '.')"
        case Kind.INSTANT:
            utc = (
                f"make_timestamp(epoch_us({field.name}))"  # a cast would look up the time zone for every row
            )
            return f"'\"' || replace(CAST({utc} AS VARCHAR), ' ', 'T') || 'Z\"'"
        case _:
            return f"CAST({field.name} AS VARCHAR)"
