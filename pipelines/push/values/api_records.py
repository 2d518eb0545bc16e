"""Rows of history as the API takes them: SQL from typed columns to the JSON text of a record.

What does not belong here: the way from texts to typed columns (`formats`), and what a row is known by (`identity`).
"""

from collections.abc import Mapping
from itertools import groupby

from schemas.columns import Field, Kind
from schemas.derived.tables import literal

Presence = frozenset[tuple[str, bool]]
"""What is known of the rows that a query is of: of a field, that all have a value, or that none has."""


def joined(separator: str, values: Mapping[str, tuple[str, str]], presence: Presence = frozenset()) -> str:
    """The values of a row as one text, as SQL; fields without a value are left out.

    Args:
        separator: what comes between two of them, as SQL.
        values: by field, what comes before its value and the value, as SQL.
        presence: of the rows. It changes no text: to join values that are all there takes half as long.
    """
    members = [(name, pair) for name, pair in values.items() if (name, False) not in presence]
    texts: list[str] = []
    for is_full, group in groupby(members, lambda member: (member[0], True) in presence):
        pairs = [pair for _, pair in group]
        if is_full:  # `concat` copies a value once; of one that is null it would keep what comes before
            texts.append(f"concat({f', {separator}, '.join(map(', '.join, pairs))})")
        else:
            texts += map(" || ".join, pairs)
    if len(texts) == 1 and (members[0][0], True) in presence:
        return texts[0]
    return f"concat_ws({separator}, {', '.join(texts) or 'NULL'})"


def record(fields: tuple[Field, ...], presence: Presence = frozenset(), end: str = "}") -> str:
    """The JSON text of a row as the API takes it: only what is there, times with Z, amounts in exact decimals.

    `record_id` is ours and stays here (/api-reference/v2/history/import-revenue knows no such field).

    Args:
        fields: the dataset's.
        presence: of the rows.
        end: how it ends.
    """
    members = {
        field.name: (f"'\"{field.name}\":'", _json(field)) for field in fields if field.name != "record_id"
    }
    return f"concat('{{', {joined(literal(','), members, presence)}, {literal(end)})"


def _json(field: Field) -> str:
    """A value in JSON, or NULL where there is none."""
    match field.kind:
        case Kind.TEXT:
            return f"CAST(to_json({field.name}) AS VARCHAR)"
        case Kind.MONEY:
            return f"rtrim(rtrim(CAST({field.name} AS VARCHAR), '0'), '.')"
        case Kind.INSTANT:
            utc = f"make_timestamp(epoch_us({field.name}))"  # a cast would ask for the zone of every row
            return f"'\"' || replace(CAST({utc} AS VARCHAR), ' ', 'T') || 'Z\"'"
        case _:
            return f"CAST({field.name} AS VARCHAR)"
