"""DuckDB columns, derived from the declarations: types, CREATE TABLE, and the comments analysts read."""

from collections.abc import Iterator, Sequence

from schemas.columns import KEPT_PHONE, PHONE, AtLeast, Check, Dataset, Field, Kind, LengthAtMost, Matches

TYPES: dict[Kind, str] = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.FLAG: "BOOLEAN",
    Kind.MONEY: "DECIMAL(18,4)",
    Kind.INSTANT: "TIMESTAMPTZ",
    Kind.JSON: "JSON",
    Kind.DAY: "DATE",
    Kind.RATIO: "DOUBLE",
    Kind.INTEGERS: "BIGINT[]",
    Kind.TEXTS: "VARCHAR[]",
}


def create_table(table: str, fields: Sequence[Field], *, or_keep: bool = False) -> str:
    """`CREATE TABLE` with one line per column; `table` is a qualified, trusted name.

    Args:
        table: its name.
        fields: its columns.
        or_keep: keep an existing table of that name.
    """
    columns = ",\n  ".join(
        f'"{field.name}" {TYPES[field.kind]}{"" if field.nullable else " NOT NULL"}{_compression(field)}'
        for field in fields
    )
    return f"CREATE TABLE {'IF NOT EXISTS ' if or_keep else ''}{table} (\n  {columns}\n)"


def _compression(field: Field) -> str:
    """Return a fixed compression for texts that hardly repeat, since DuckDB's search for one takes longest there."""
    various = field.kind is Kind.JSON or field.column.various or _is_phone(field)
    return " USING COMPRESSION zstd" if various else ""


def _is_phone(field: Field) -> bool:
    return any(check in (PHONE, KEPT_PHONE) for check in field.column.checks)


def comments(table: str, dataset: Dataset, fields: Sequence[Field], *, kind: str = "TABLE") -> Iterator[str]:
    """`COMMENT ON` statements for the table (or VIEW: see `kind`) and each of its columns.

    Args:
        table: its qualified name.
        dataset: the table's dataset.
        fields: its columns.
        kind: TABLE or VIEW.
    """
    yield f"COMMENT ON {kind} {table} IS {literal(_meaning(dataset))}"
    for field in fields:
        yield f'COMMENT ON COLUMN {table}."{field.name}" IS {literal(describe(field))}'


SHOWN = "column_name, data_type, is_nullable, comment"
"""The fields of DuckDB's catalog for a column."""

Shown = tuple[str | None, list[tuple[str, str, bool, str | None]]]
"""The catalog's entry of a table: its comment, and `SHOWN` of each column."""

_SHOWN_AS = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
"""Types that the catalog shows by another name."""


def shown(dataset: Dataset, fields: Sequence[Field]) -> Shown:
    """Return the catalog's entry of a table that is as declared.

    Args:
        dataset: what it holds.
        fields: its columns.
    """
    types = [_SHOWN_AS.get(TYPES[field.kind], TYPES[field.kind]) for field in fields]
    return _meaning(dataset), [
        (field.name, kind, field.nullable, describe(field)) for field, kind in zip(fields, types, strict=True)
    ]


def _meaning(dataset: Dataset) -> str:
    return dataset.doc + (f" Source: {dataset.page}." if dataset.page else "")


def breaks_a_check(fields: Sequence[Field]) -> str:
    """Return SQL for whether a row breaks a declared check or lacks a value.

    `pandera_checks` has the reasons in words.
    """
    broken = [f"{field.name} IS NULL" for field in fields if not field.nullable]
    broken += [_breaks(field.name, check) for field in fields for check in field.column.checks]
    return " OR ".join(broken) or "false"


def _breaks(name: str, check: Check) -> str:
    match check:
        case Matches(pattern, _):
            return f"NOT regexp_matches({name}, {literal(pattern)})"
        case AtLeast(bound):
            return f"{name} < {bound}"
        case LengthAtMost(characters):
            return f"length({name}) > {characters}"


def describe(field: Field) -> str:
    """Return a column's meaning, unit and checks as one text."""
    column = field.column
    # "Conversions. In conversions." says it twice
    unit = f" In {column.unit}." if column.unit and column.unit not in column.doc.lower() else ""
    checks = f" Must be {'; '.join(check.words for check in column.checks)}." if column.checks else ""
    known = f" Known values: {', '.join(column.known)}." if column.known else ""
    return f"{column.doc}{unit}{checks}{known}"


def literal(text: str) -> str:
    """Return a text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Return the name of a column, table or database quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'
