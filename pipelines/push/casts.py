"""SQL expressions from the text of a history file to typed columns, and from those to the API's records.

Everything is read as text first, so that a value of the wrong type sets one row aside and not the file, and so
that amounts never pass through binary floats. What does not belong here: files, and what becomes of a bad row.
"""

from schemas.columns import Field, Kind

LARGEST_AMOUNT = 100_000_000_000
"""Below it a JSON number is exact to 4 decimals even in a reader that uses 64-bit floats, such as the API's."""

_NOISE = "0.000000001"
"""Amounts this close to one with 4 decimals are that amount: 0.1 + 0.2 is written 0.30000000000000004."""

_PROBLEMS = {
    Kind.INTEGER: "must be a whole number",
    Kind.FLAG: "must be true or false",
    Kind.MONEY: f"must be an amount below {LARGEST_AMOUNT:,} with at most 4 decimals",
    Kind.INSTANT: "must be a date and time in ISO 8601",
}


def typed(field: Field, text: str) -> str:
    """The value of a column, or NULL where the text is none of its kind.

    Instants without a zone are UTC (the connection's TimeZone must be UTC). An empty text is no value.

    Args:
        field: the column.
        text: an SQL expression of type VARCHAR.
    """
    bare = f"nullif(trim({text}), '')"
    match field.kind:
        case Kind.INTEGER:
            number = f"TRY_CAST({bare} AS DECIMAL(38, 6))"  # a cast to BIGINT would round 12.7
            return f"CASE WHEN {number} = trunc({number}) THEN TRY_CAST({number} AS BIGINT) END"
        case Kind.FLAG:
            return f"TRY_CAST({bare} AS BOOLEAN)"
        case Kind.MONEY:
            number = f"TRY_CAST({bare} AS DECIMAL(38, 12))"
            return (
                f"CASE WHEN abs({number}) < {LARGEST_AMOUNT} AND abs({number} - round({number}, 4)) < {_NOISE}"
                f" THEN TRY_CAST(round({number}, 4) AS DECIMAL(18, 4)) END"
            )
        case Kind.INSTANT:
            instant = f"TRY_CAST({bare} AS TIMESTAMPTZ)"
            bounds = "TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9999-12-31 00:00:00+00'"
            return f"CASE WHEN {instant} BETWEEN {bounds} THEN {instant} END"
        case _:
            return f"nullif({text}, '')"


def problem(field: Field, text: str, value: str) -> str | None:
    """What is wrong where the text is not empty and `typed` made nothing of it; None for columns of text."""
    words = _PROBLEMS.get(field.kind)
    if words is None:
        return None
    return (
        f"CASE WHEN nullif(trim({text}), '') IS NOT NULL AND {value} IS NULL THEN '{field.name}: {words}' END"
    )


def record(fields: tuple[Field, ...]) -> str:
    """The JSON text of a row as the API takes it: only what is there, times with Z, amounts in exact decimals.

    `record_id` is ours and stays here (/api-reference/v2/history/import-revenue knows no such field).
    """
    parts = ", ".join(_member(field) for field in fields if field.name != "record_id")
    return f"'{{' || concat_ws(',', {parts}) || '}}'"


def _member(field: Field) -> str:
    """`"name":value`, or NULL where there is no value, which concat_ws skips."""
    match field.kind:
        case Kind.TEXT:
            value = f"CAST(to_json({field.name}) AS VARCHAR)"
        case Kind.MONEY:
            value = f"rtrim(rtrim(CAST({field.name} AS VARCHAR), '0'), '.')"
        case Kind.INSTANT:
            utc = f"make_timestamp(epoch_us({field.name}))"  # a cast would ask for the zone of every row
            value = f"'\"' || replace(CAST({utc} AS VARCHAR), ' ', 'T') || 'Z\"'"
        case _:
            value = f"CAST({field.name} AS VARCHAR)"
    return f"'\"{field.name}\":' || {value}"


def identity_base(dataset: str, fields: tuple[Field, ...]) -> str:
    """What a row is known by, in every run, wherever it stands and whatever format it comes in.

    A send is known by its id and a click by its message. Revenue is known by its record_id, else by a digest of
    its values; a repeat of the same values then gets `:2`, `:3`, ... appended. Changing the digest would make
    rows that were sent look new: it must stay as it is.
    """
    if dataset == "sends":
        return "id"
    if dataset == "clicks":
        return "message_id"
    # by name and only where there is a value, so that a field added to the contract changes no digest
    values = ", ".join(
        f"coalesce('{field.name}=' || {_canonical(field)} || chr(31), '')"
        for field in sorted(fields, key=lambda field: field.name)
        if field.name != "record_id"
    )
    content = f"'content:' || left(sha256(concat({values})), 32)"
    return f"CASE WHEN record_id IS NOT NULL THEN 'record:' || record_id ELSE {content} END"


def _canonical(field: Field) -> str:
    if field.kind is Kind.INSTANT:
        return f"CAST(epoch_us({field.name}) AS VARCHAR)"
    return f"CAST({field.name} AS VARCHAR)"
