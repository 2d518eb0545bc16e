"""Digests of what a row says, as SQL: to tell equal rows from rows that differ under one key.

    content   of all fields that leave for the API: what the account was given. The stage has it of every row, made
              while the row is loaded; `kept_content` is how to ask for it
    compared  the same of what must be equal in rows of one key
    likeness  of a row of revenue: its message, offer and amount

A digest is a number of 63 bits, the last 8 of which are a tag. Where phone numbers are hashed, it is made of their
hashes, else one could try which number it is of; digests of different tags cannot be compared. The ledger keeps them:
to change how they are made makes every row that was sent look changed. The connection has the macros of
`Privacy.define`. What does not belong here: what a row is known by (`identity`).
"""

from pipelines.push.values.api_records import Presence, joined
from pipelines.push.values.identity import canonical
from schemas.columns import PHONE, Dataset, Field

_NOT_SENT = ("record_id",)
"""Fields that are ours and stay here."""

_MAY_DIFFER = {"clicks": ("timestamp",)}
"""Fields that rows of one key may differ in: a message is clicked several times, and the earliest click is sent."""

TAG_BITS = 8
"""Of a digest; without them it is the same under any setting, where the row has no phone number."""

_DROPPED = 128 - 63 + TAG_BITS  # of the bits of MD5

_LIKE = ("message_id", "offer_id", "revenue")


def content(dataset: Dataset, presence: Presence = frozenset()) -> str:
    """The digest of all that the API is given of a row.

    Args:
        dataset: what the row is of.
        presence: of all rows; it changes no digest.
    """
    return _digest([field for field in dataset.fields if field.name not in _NOT_SENT], presence)


def kept_content(dataset: Dataset, rows: str = "ready") -> str:
    """`content` as the stage keeps it; made again where it was kept under another setting for phone numbers.

    Args:
        dataset: what the stage holds.
        rows: the table or view, as the query calls it.
    """
    kept = f"{rows}.content"
    return f"CASE WHEN {kept} & 255 = phone_tag() THEN {kept} ELSE {content(dataset)} END"


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


def _digest(fields: list[Field], presence: Presence = frozenset()) -> str:
    # by name and only where there is a value, so that a field added to the contract changes no digest
    by_name = sorted(fields, key=lambda field: field.name)
    values = {field.name: (f"'{field.name}='", _kept(field)) for field in by_name}
    number = f"md5_number({joined('chr(31)', values, presence)})"
    # the upper 64 bits, less the last 9 of them, above the tag; `md5_number_lower` is the same, at twice the cost
    return f"((CAST({number} >> {_DROPPED} AS BIGINT) << {TAG_BITS}) + phone_tag())"


def _kept(field: Field) -> str:
    return f"kept_phone({field.name})" if PHONE in field.column.checks else canonical(field)
