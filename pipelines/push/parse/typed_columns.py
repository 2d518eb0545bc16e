"""Converts columns with types (Parquet, `.sql`) to texts, so that the same rules read every format.

A value is a problem of its row if its type may have changed it, or does not match the field: a float for a text,
nested data, bytes that are not text. What does not belong here: what the texts mean (`values.formats`).
"""

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa

from schemas.columns import Dataset, Field, Kind
from schemas.derived.tables import literal, quoted

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_WHOLES = {*_WHOLE, *(f"U{name}" for name in _WHOLE)}
_TEXTS = {"VARCHAR", "UUID"}
_NOTHING = {"NULL", '"NULL"'}

_SPAN, _HALF = "INTERVAL", "HALF"

_MOST_NOISE = 6.7e-16
"""A double this close to a number with 4 decimals, relative to its size, is that number (0.1 + 0.2 is 0.3)."""
_WHOLES_TO = {"FLOAT": 2**24, "DOUBLE": 2**53}
"""By type: the first whole number whose neighbour it may stand for."""

_PLACES_TO = {4: 2**10, 2: 2**17}
"""By decimal places: the size from which two amounts that differ in the last of them are one `FLOAT`, of 24 bits."""


Found = Mapping[str, tuple[str, str]]
"""By field, its column: the name and the DuckDB type."""


def kind_of(arrow: pa.DataType, kind: str) -> str:
    """Return the type of a column of a Parquet file, as DuckDB names types.

    Parquet stores spans of time as whole numbers, and DuckDB widens floats of 16 bits: only Arrow's type tells them
    from numbers that are right.

    Args:
        arrow: the type that Arrow reads.
        kind: the type that DuckDB reads.
    """
    if pa.types.is_duration(arrow):
        return _SPAN
    return _HALF if pa.types.is_float16(arrow) else kind


def select_texts(dataset: Dataset, found: Found, relation: str, row: str) -> str:
    """Return a SELECT of texts.

    Args:
        dataset: the dataset of the rows.
        found: the columns of the relation that match fields.
        relation: the relation to select from.
        row: the SQL expression that numbers the rows from 1.

    Returns:
        SQL that yields the columns of `parse.relation.Stretch` as texts; `line`, `last_line` and `broken` are NULL.
    """
    texts, problems = [], ["NULL"]
    for field in dataset.fields:
        if field.name not in found:
            texts.append(f"NULL::VARCHAR AS {field.name}")
            continue
        name, kind = found[field.name]
        text, problem = as_text(field, kind, quoted(name))
        texts.append(f"{text} AS {field.name}")
        if problem:
            problems.append(problem)
    return _select(relation, row, texts, f"nullif(concat_ws('; ', {', '.join(problems)}), '')")


def select_values(dataset: Dataset, found: Found, relation: str, row: str) -> tuple[str, Found] | None:
    """Return a SELECT of texts, and of typed values for columns of the field's own type.

    Args:
        dataset: the dataset of the rows.
        found: the columns of the relation that match fields.
        relation: the relation to select from.
        row: the SQL expression that numbers the rows from 1.

    Returns:
        The SQL, and the columns that it yields, as `found` for `select_texts`; None if a column has any other type.
    """
    values, types = [], {}
    for field in dataset.fields:
        name, kind = found.get(field.name, ("", "NULL"))
        if kind in _NOTHING:
            values.append(f"NULL::VARCHAR AS {field.name}")
        elif kind in _OWN.get(field.kind, ()) or (field.kind is Kind.MONEY and _DECIMAL.fullmatch(kind)):
            values.append(f"{quoted(name)} AS {field.name}")
            types[field.name] = field.name, kind
        elif kind == "VARCHAR" or kind in _WHOLES:
            values.append(f"CAST({quoted(name)} AS VARCHAR) AS {field.name}")
            types[field.name] = field.name, "VARCHAR"
        else:
            return None
    return _select(relation, row, values, "NULL::VARCHAR"), types


def has_floats(found: Found) -> bool:
    """Return whether a column may hold NaN, which the statistics of a Parquet file ignore.

    From these statistics DuckDB concludes that `isnan` is false, that a bound holds and that a cast is never NULL; a
    NaN then becomes NULL.
    """
    return any(kind in ("FLOAT", "DOUBLE") for _, kind in found.values())


def typed_amounts(dataset: Dataset, found: Found) -> frozenset[str]:
    """Return the amounts that are numbers in the file, so their texts say nothing about decimal signs."""
    amounts = [field.name for field in dataset.fields if field.kind is Kind.MONEY]
    numbers = ("FLOAT", "DOUBLE", "DECIMAL")
    return frozenset(name for name in amounts if name in found and found[name][1].startswith(numbers))


_OWN = {
    Kind.INSTANT: ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
    Kind.FLAG: ("BOOLEAN",),
}
_DECIMAL = re.compile(r"DECIMAL\((?:[1-9]|1[0-5]),[0-4]\)")
"""Decimals of at most 4 places; `fast_typing` checks the digits before them."""


def _select(relation: str, row: str, columns: Sequence[str], problem: str) -> str:
    return (
        f"SELECT {row} AS row, NULL::BIGINT AS line, NULL::BIGINT AS last_line, {', '.join(columns)},"
        f" {problem} AS problem, NULL::VARCHAR AS broken FROM {relation}"
    )


def as_text(field: Field, kind: str, column: str) -> tuple[str, str | None]:
    """Return SQL for a column as text, and SQL for the problem of each value; None if no value can have one.

    Args:
        field: the field of the column.
        kind: the column's DuckDB type.
        column: the column's name in SQL.
    """
    text = f"CAST({column} AS VARCHAR)"
    if kind in _NOTHING:
        return "NULL::VARCHAR", None
    if kind in _TEXTS or kind in _WHOLES or kind.startswith("ENUM("):
        return text, None
    if kind == "BLOB":
        decoded = f"TRY(decode({column}))"
        return decoded, _where(
            field, f"{column} IS NOT NULL AND {decoded} IS NULL", "holds bytes that are not UTF-8"
        )
    if kind == "JSON":
        nested = f"json_type({column}) IN ('OBJECT', 'ARRAY')"
        return f"json_extract_string({column}, '$')", _where(field, nested, _NESTED)
    if kind in ("FLOAT", "DOUBLE"):
        return _float(field, kind, column)
    return text, _unless_it_fits(field, kind, column)


def _unless_it_fits(field: Field, kind: str, column: str) -> str | None:
    """Return the problem of every value if the column's type does not match the field; None if it does."""
    right = _RIGHT.get(
        kind.split("(", maxsplit=1)[0].removesuffix("_NS").removesuffix("_MS").removesuffix("_S")
    )
    if right is None:
        return _where(field, f"{column} IS NOT NULL", _NESTED)
    kinds, words = right
    if field.kind in kinds or (kind.startswith("DECIMAL") and kind.endswith(",0)")):
        return None
    return _where(field, f"{column} IS NOT NULL", words)


_NESTED = "is nested or binary, where a plain value belongs"
_ROUNDED = "is a float of this size, which has lost digits; export it as a decimal or as text"
_IS_TIME = (frozenset({Kind.INSTANT}), "is a date or a time, where none belongs")
_NO_TIME = (frozenset[Kind](), "is a time of day or a span of time, where neither belongs")
_RIGHT = {
    "BOOLEAN": (frozenset({Kind.FLAG}), "is true or false, where neither belongs"),
    "DECIMAL": (frozenset({Kind.MONEY, Kind.INTEGER}), "is a number with decimals; export it as text"),
    "DATE": _IS_TIME,
    "TIMESTAMP": _IS_TIME,
    "TIMESTAMP WITH TIME ZONE": _IS_TIME,
    "TIMESTAMPTZ": _IS_TIME,  # after _NS is removed
    "TIME": _NO_TIME,
    "TIME WITH TIME ZONE": _NO_TIME,
    _SPAN: _NO_TIME,
    _HALF: (
        frozenset[Kind](),
        "is a float of 16 bits, which has lost digits; export it as a decimal or as text",
    ),
}
"""By DuckDB type: the kinds of fields that it matches, and the problem for all other fields."""


def _float(field: Field, kind: str, column: str) -> tuple[str, str | None]:
    """Convert a float to text; correct only if DuckDB uses no statistics (see `has_floats`)."""
    text = f"replace(CAST({column} AS VARCHAR), '-nan', 'nan')"
    if field.kind is Kind.INTEGER:
        small = f"abs({column}) < {_WHOLES_TO[kind]}"
        exact = f"CAST(TRY_CAST({column} AS BIGINT) AS VARCHAR)"
        problem = _where(field, f"isfinite({column}) AND NOT {small}", _ROUNDED)
        return f"CASE WHEN {column} = trunc({column}) AND {small} THEN {exact} ELSE {text} END", problem
    if field.kind is Kind.MONEY:
        if kind == "FLOAT":
            cents = f"CAST(round(CAST({column} AS DOUBLE), 2) AS FLOAT) = {column}"
            certain = f"abs({column}) < {_PLACES_TO[4]} OR (abs({column}) < {_PLACES_TO[2]} AND {cents})"
            return text, _where(field, f"isfinite({column}) AND NOT ({certain})", _ROUNDED)
        rounded = f"round({column}, 4)"
        near = f"abs({column}) < 1e9 AND abs({column} - {rounded}) <= abs({column}) * {_MOST_NOISE}"
        # TRY_CAST, because it is computed for all rows: a CAST of a single NaN would fail the file
        exact = f"CAST(TRY_CAST({rounded} AS DECIMAL(18, 4)) AS VARCHAR)"
        return f"CASE WHEN {near} THEN {exact} ELSE {text} END", None
    floated = f"{column} IS NOT NULL AND {text} <> 'nan'"
    return text, _where(field, floated, "is a float, which may have lost digits; export it as text")


def _where(field: Field, condition: str, what: str) -> str:
    return f"CASE WHEN {condition} THEN {literal(f'{field.name}: {what}')} END"
