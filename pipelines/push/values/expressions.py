"""SQL expressions from the typed columns of a history file to the API's records, and what a row is known by.

What does not belong here: the way from texts to typed columns (`formats`), and what becomes of a bad row.
"""

from schemas.columns import Field, Kind


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
    its values; a repeat of the same values then gets `:2`, `:3`, ... appended. Without either it is too broken to be
    known by anything. Changing the digest would make rows that were sent look new: it must stay as it is.
    """
    if dataset == "sends":
        return "id"
    if dataset == "clicks":
        return "message_id"
    # by name and only where there is a value, so that a field added to the contract changes no digest
    values = ", ".join(
        f"coalesce('{field.name}=' || {canonical(field)} || chr(31), '')"
        for field in sorted(fields, key=lambda field: field.name)
        if field.name != "record_id"
    )
    content = f"'content:' || left(sha256(concat({values})), 32)"
    return (
        "CASE WHEN record_id IS NOT NULL THEN 'record:' || record_id"
        f" WHEN message_id IS NOT NULL THEN {content} END"
    )


def canonical(field: Field) -> str:
    """The one text of a typed value, for digests."""
    if field.kind is Kind.INSTANT:
        return f"CAST(epoch_us({field.name}) AS VARCHAR)"
    return f"CAST({field.name} AS VARCHAR)"
