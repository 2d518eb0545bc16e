"""The lists dataset: the account's subscriber lists."""

from typing import Annotated

import msgspec

from schemas.columns import NOT_NEGATIVE, Column, Dataset, Instant, Integer, Text

STATUSES = ("active", "paused", "suspended", "deleted")
TYPES = ("lime", "infobip", "twilio", "cm")


class TracklyList(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A row of GET /lists."""

    id: Annotated[Integer, Column("The list's id; the key.")]
    phone_number: Annotated[Text | None, Column("Phone number that the list sends from.")] = None
    brand_name: Annotated[Text | None, Column("Brand that the list sends for.")] = None
    list_name: Annotated[Text | None, Column("The list's name.")] = None
    list_type: Annotated[Text | None, Column("Messaging provider of the list.", known=TYPES)] = None
    status: Annotated[Text | None, Column("State; deleted lists are kept.", known=STATUSES)] = None
    contact_count: Annotated[
        Integer | None, Column("Active contacts on the list.", "contacts", (NOT_NEGATIVE,))
    ] = None
    created_at: Annotated[Instant | None, Column("When the list was made.", unit="UTC")] = None


LISTS = Dataset(
    name="lists",
    row=TracklyList,
    key=("id",),
    doc="One row per list, deleted ones included.",
    source="/api-reference/v2/lists/list-all",
)
