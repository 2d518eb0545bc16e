"""The audiences dataset: who a schedule is sent to, as a filter over contacts."""

from typing import Annotated

import msgspec

from schemas.columns import (
    ABSENT,
    NOT_EMPTY,
    NOT_NEGATIVE,
    Column,
    Dataset,
    Instant,
    Integer,
    Integers,
    Json,
    Text,
)

STATUSES = ("active", "archived")


class Audience(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A row of GET /audiences."""

    id: Annotated[Text, Column("The audience's id, 24 hexadecimal characters; the key.", checks=(NOT_EMPTY,))]
    name: Annotated[Text | None, Column("The audience's name.")] = None
    description: Annotated[Text | None, Column("What it is, as the account has it.")] = None
    source_lists: Annotated[
        Integers | None, Column("Lists (lists.id) that it is drawn from; an empty list means all of them.")
    ] = None
    filter: Annotated[
        Json,
        Column(
            "The filter over contacts as sent: condition_type or conditionType, and groups may be absent."
        ),
    ] = ABSENT
    cached_size: Annotated[
        Integer | None,
        Column(
            "Contacts in it when the account last counted; null is unknown, not 0.",
            "contacts",
            (NOT_NEGATIVE,),
        ),
    ] = None
    cached_size_updated_at: Annotated[
        Instant | None, Column("When cached_size was counted; null where it is unknown.", unit="UTC")
    ] = None
    status: Annotated[Text | None, Column("State; archived audiences are kept.", known=STATUSES)] = None
    created_at: Annotated[Instant | None, Column("When the audience was made.", unit="UTC")] = None


AUDIENCES = Dataset(
    name="audiences",
    row=Audience,
    key=("id",),
    doc="One row per audience, archived ones included.",
    source="/api-reference/v2/audiences/list-audiences",
)
