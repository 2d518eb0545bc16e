"""Digests of what a row says, as SQL: to tell equal rows from rows that differ under one key.

    content   of all fields that leave for the API: what the account was given
    compared  the same of what must be equal in rows of one key
    likeness  of a row of revenue: its message, offer and amount

A digest is a number of 63 bits, the last 8 of which are a tag. Where phone numbers are hashed, it is made of their
hashes, else one could try which number it is of; digests of different tags cannot be compared. The ledger keeps them:
to change how they are made makes every row that was sent look changed. The connection has the macros of
`Privacy.define`. What does not belong here: what a row is known by (`expressions.identity_base`).
"""

from pipelines.push.values.expressions import canonical
from schemas.columns import PHONE, Dataset, Field

_NOT_SENT = ("record_id",)
"""Fields that are ours and stay here."""

_MAY_DIFFER = {"clicks": ("timestamp",)}
"""Fields that rows of one key may differ in: a message is clicked several times, and the earliest click is sent."""

_LIKE = ("message_id", "offer_id", "revenue")


def content(dataset: Dataset) -> str:
    """The digest of all that the API is given of a row."""
    return _digest([field for field in dataset.fields if field.name not in _NOT_SENT])


def compared(dataset: Dataset) -> str:
    """The digest of what rows of one key must agree in."""
    may_differ = (*_NOT_SENT, *_MAY_DIFFER.get(dataset.name, ()))
    return _digest([field for field in dataset.fields if field.name not in may_differ])


def likeness(dataset: Dataset) -> str:
    """The digest of what two rows of revenue have in common that may be one sale."""
    return _digest([field for field in dataset.fields if field.name in _LIKE])


def changed(before: str, after: str) -> str:
    """Whether two digests are known to be of different content; false where one is null."""
    return f"coalesce({before} <> {after} AND {before} & 255 = {after} & 255, false)"


def _digest(fields: list[Field]) -> str:
    # by name and only where there is a value, so that a field added to the contract changes no digest
    values = ", ".join(
        f"'{field.name}=' || {_kept(field)}" for field in sorted(fields, key=lambda field: field.name)
    )
    return f"(CAST((md5_number_lower(concat_ws(chr(31), {values})) >> 9) << 8 AS BIGINT) + phone_tag())"


def _kept(field: Field) -> str:
    return f"kept_phone({field.name})" if PHONE in field.column.checks else canonical(field)
