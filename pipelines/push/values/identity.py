"""What a row of history is known by, as SQL over its typed columns: by it a row is found again, in any file and run.

What does not belong here: rows that share it (`checks.conflicts`), and whether a row has changed (`content_digest`).
"""

from schemas.columns import Field, Kind


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
