"""The identity of a row of history, as SQL over its typed columns: it finds a row again in any file and any run.

What does not belong here: rows with one identity (`checks.conflicts`), and changed rows (`content_digest`).
"""

from schemas.columns import Field, Kind


def identity_base(dataset: str, fields: tuple[Field, ...]) -> str:
    """Return SQL for the identity of a row, the same in every run, file and format.

    The identity of a send is its id, of a click its message. Revenue is identified by its record_id, else by a digest
    of its values; a repetition of the same values then gets `:2`, `:3`, ... appended. A row of revenue without
    record_id and message_id has no identity. The digest must never change: rows that were sent would look new.
    """
    if dataset == "sends":
        return "id"
    if dataset == "clicks":
        return "message_id"
    # sorted by name and without empty fields, so that a field added to the contract changes no digest
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
    """Return SQL for the one text of a typed value, for digests."""
    if field.kind is Kind.INSTANT:
        return f"CAST(epoch_us({field.name}) AS VARCHAR)"
    return f"CAST({field.name} AS VARCHAR)"
