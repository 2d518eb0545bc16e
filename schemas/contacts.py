"""The contacts dataset: one person on one list."""

from typing import Annotated

import msgspec

from schemas.columns import (
    ABSENT,
    KEPT_PHONE,
    NOT_NEGATIVE,
    Column,
    Dataset,
    Flag,
    Instant,
    Integer,
    Json,
    Money,
    Text,
)

LINE_TYPES = ("CELL PHONE", "VOIP", "LANDLINE", "FAKE", "UNKNOWN")


class Contact(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """A row of GET /contacts.

    Nullability is not documented. The key, the active flag and the fields behind figures are required; all other
    fields may be null.
    """

    phone_number: Annotated[
        Text, Column("Phone number, or its keyed hash; with list_id the key.", checks=(KEPT_PHONE,))
    ]
    list_id: Annotated[Integer, Column("The list that the contact is on.", refers_to="main.lists.id")]
    list_number: Annotated[Text | None, Column("Phone number that the list sends from.")] = None
    active: Annotated[Flag, Column("Whether the contact receives messages on this list.")]
    signup_date: Annotated[Instant | None, Column("When the contact joined the list.", unit="UTC")] = None
    signup_method: Annotated[Text | None, Column("How the contact joined, such as api.")] = None
    custom_fields: Annotated[Json, Column("The account's own fields of the contact, as an object.")] = ABSENT
    carrier: Annotated[Text | None, Column("Mobile carrier.")] = None
    line_type: Annotated[Text | None, Column("Kind of phone line.", known=LINE_TYPES)] = None
    timezone: Annotated[Text | None, Column("IANA time zone of the contact.")] = None
    is_valid: Annotated[Flag | None, Column("Whether the number passed validation.")] = None
    send_count: Annotated[Integer, Column("Messages sent to the contact.", "messages", (NOT_NEGATIVE,))]
    click_count: Annotated[Integer, Column("Clicks by the contact.", "clicks", (NOT_NEGATIVE,))]
    revenue_total: Annotated[Money, Column("Revenue from the contact on this list.", "account currency")]
    conversion_count: Annotated[Integer, Column("Conversions.", "conversions", (NOT_NEGATIVE,))]
    last_sent_at: Annotated[Instant | None, Column("When the contact was last sent to.", unit="UTC")] = None
    last_clicked_at: Annotated[Instant | None, Column("When the contact last clicked.", unit="UTC")] = None
    last_revenue_at: Annotated[
        Instant | None,
        Column(
            "When the contact last brought revenue (kept by imports; not in the example row).", unit="UTC"
        ),
    ] = None
    in_workflow: Annotated[Flag | None, Column("Whether the contact is in an automated workflow.")] = None


CONTACTS = Dataset(
    name="contacts",
    row=Contact,
    key=("phone_number", "list_id"),
    doc="One row per contact and list: a phone number on two lists is two rows.",
    source="/api-reference/v2/contacts/list-contacts",
)
