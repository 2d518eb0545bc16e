"""Digests of the content of a row, as SQL: they tell equal rows from rows that differ under one key.

    content   all fields that are sent to the API. The stage has this digest for every row, made when the row is
              loaded; read it with `kept_content`
    compared  the fields that must be equal in rows of one key
    likeness  message, offer and amount of a row of revenue

A digest is a number of 63 bits; its last 8 bits are a tag. If phone numbers are hashed, the digest is made of the
hashes, because otherwise one could find a number by trying all of them; the tag shows the setting, and digests with
different tags cannot be compared. The ledger keeps digests: if they were made in another way, every row that was sent
would look changed. The connection needs the macros of `Privacy.define`. What does not belong here: the identity of a
row (`identity`).
"""

from pipelines.push.values.api_records import Presence, joined
from pipelines.push.values.identity import canonical
from schemas.columns import PHONE, Dataset, Field

_NOT_SENT = ("record_id",)
"""Fields that are ours and are not sent."""

_MAY_DIFFER = {"clicks": ("timestamp",)}
"""Fields in which rows of one key may differ: a message is clicked several times, and the earliest click is sent."""

TAG_BITS = 8
"""Bits of the tag. If a row has no phone number, the other bits are the same under any setting."""

_DROPPED = 128 - 63 + TAG_BITS  # bits of MD5 that are not used

_LIKE = ("message_id", "offer_id", "revenue")


def content(dataset: Dataset, presence: Presence = frozenset()) -> str:
    """Return SQL for the digest of all fields that are sent to the API.

    Args:
        dataset: the dataset of the row.
        presence: facts about all rows; it changes no digest.
    """
    return _digest([field for field in dataset.fields if field.name not in _NOT_SENT], presence)


def kept_content(dataset: Dataset, rows: str = "ready") -> str:
    """Return SQL for `content` as the stage has it; computed again if it was made under another phone setting.

    Args:
        dataset: the dataset of the stage.
        rows: the name that the query gives the table or view.
    """
    kept = f"{rows}.content"
    return f"CASE WHEN {kept} & 255 = phone_tag() THEN {kept} ELSE {content(dataset)} END"


def compared(dataset: Dataset) -> str:
    """Return SQL for the digest of the fields that must be equal in rows of one key."""
    may_differ = (*_NOT_SENT, *_MAY_DIFFER.get(dataset.name, ()))
    return _digest([field for field in dataset.fields if field.name not in may_differ])


def likeness(dataset: Dataset) -> str:
    """Return SQL for the digest of the fields that are equal in two rows of revenue that may be one sale."""
    return _digest([field for field in dataset.fields if field.name in _LIKE])


def changed(before: str, after: str) -> str:
    """Return SQL for whether two digests are of different content; false if one is NULL or their tags differ."""
    return f"coalesce({before} <> {after} AND {before} & 255 = {after} & 255, false)"


def _digest(fields: list[Field], presence: Presence = frozenset()) -> str:
    # sorted by name and without empty fields, so that a field added to the contract changes no digest
    by_name = sorted(fields, key=lambda field: field.name)
    values = {field.name: (f"'{field.name}='", _kept(field)) for field in by_name}
    number = f"md5_number({joined('chr(31)', values, presence)})"
    # upper 64 bits without their last 9, above the tag; `md5_number_lower` would give the same at twice the cost
    return f"((CAST({number} >> {_DROPPED} AS BIGINT) << {TAG_BITS}) + phone_tag())"


def _kept(field: Field) -> str:
    return f"kept_phone({field.name})" if PHONE in field.column.checks else canonical(field)
