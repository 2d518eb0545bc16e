"""The columns that a pull adds to every row of every pulled dataset, and the shape of quarantine.

What does not belong here: columns that the API serves (those are in the dataset's own file).
"""

from typing import Annotated

import msgspec

from schemas.columns import ABSENT, Column, Dataset, Instant, Integer, Json, Text


class Bookkeeping(msgspec.Struct):
    """Where a published row came from."""

    synced_at: Annotated[Instant, Column("When the reply that held this row was received.", unit="UTC")]
    snapshot: Annotated[Text, Column("The snapshot that the row belongs to; see sync.snapshots.")]
    page: Annotated[Integer, Column("The reply that the row was read from; see sync.pages.")]
    extra: Annotated[Json, Column("Fields that the API sent and this contract does not know.")] = ABSENT


class Quarantined(msgspec.Struct):
    """A row that could not be published as it stands."""

    reason: Annotated[Text, Column("What is wrong with the row; several reasons are joined by '; '.")]
    synced_at: Annotated[Instant, Column("When the reply that held this row was received.", unit="UTC")]
    snapshot: Annotated[Text, Column("The snapshot that the row would have belonged to.")]
    page: Annotated[Integer, Column("The reply that the row was read from; see sync.pages.")]
    row: Annotated[Integer | None, Column("The row's place in that reply, from 0.")] = None
    raw: Annotated[Json, Column("The row as the API sent it.")] = ABSENT


QUARANTINED = Dataset(
    name="quarantine",
    row=Quarantined,
    key=(),
    doc="Rows of this dataset that were read and not published, each with the reason.",
    source="",
)
BOOKKEEPING = Dataset(name="bookkeeping", row=Bookkeeping, key=(), doc="", source="")
"""Not a table: the columns appended to each pulled dataset."""
