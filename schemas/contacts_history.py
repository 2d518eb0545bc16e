"""contacts_history: every version of a contact that a pull has seen.

What does not belong here: how versions are found (see `pipelines.warehouse.history`).
"""

from typing import Annotated

import msgspec

from schemas.bookkeeping import BOOKKEEPING
from schemas.columns import Column, Dataset, Field, Instant
from schemas.contacts import CONTACTS


class Validity(msgspec.Struct):
    """When a version of a contact held."""

    valid_from: Annotated[Instant, Column("When a pull first saw this version.", "UTC")]
    valid_to: Annotated[
        Instant | None, Column("When a pull first saw another one; null while it holds.", "UTC")
    ]
    removed_at: Annotated[
        Instant | None, Column("When a complete snapshot was first without the contact; else null.", "UTC")
    ]


VALIDITY = Dataset(
    name="contacts_history",
    row=Validity,
    key=(*CONTACTS.key, "valid_from"),
    doc="One row per version of a contact. As of a day: valid_from <= day AND (valid_to IS NULL OR valid_to > day).",
    source=CONTACTS.source,
)
"""The columns that contacts_history has beyond those of contacts."""

HISTORY_FIELDS: tuple[Field, ...] = (*CONTACTS.fields, *BOOKKEEPING.fields, *VALIDITY.fields)
"""All its columns."""
