"""The history datasets that are pushed: sends, clicks and revenue of another platform.

Columns are the API's record fields (/api-reference/v2/history/import-sends, import-clicks, import-revenue).
`record_id` is the only column of ours: it tells revenue rows apart and is never sent.
"""

from typing import Annotated

import msgspec

from schemas.columns import (
    NOT_NEGATIVE,
    PHONE,
    Column,
    Dataset,
    Flag,
    Instant,
    Integer,
    LengthAtMost,
    Money,
    Text,
)

_GIVEN = LengthAtMost(255)


class HistorySend(msgspec.Struct):
    """A record of POST /history/sends; list_number or list_id is required."""

    id: Annotated[Text, Column("The caller's own id of the send; the key.", checks=(_GIVEN,))]
    to_number: Annotated[Text, Column("Whom it was sent to.", checks=(PHONE,))]
    timestamp: Annotated[Instant, Column("When it was sent.", unit="UTC")]
    list_number: Annotated[Text | None, Column("Number of the list; it or list_id is needed.")] = None
    list_id: Annotated[Integer | None, Column("Id of the list; it or list_number is needed.")] = None
    message: Annotated[Text | None, Column("The text that was sent.")] = None
    send_type: Annotated[Text | None, Column("Kind of send, such as campaign.")] = None
    delivered: Annotated[Flag | None, Column("Whether it was delivered.")] = None
    length: Annotated[Integer | None, Column("Length of the text.", "characters", (NOT_NEGATIVE,))] = None


class HistoryClick(msgspec.Struct):
    """A record of POST /history/clicks; the earliest click of a message wins."""

    message_id: Annotated[Text, Column("Id of the send that was clicked; the key.", checks=(_GIVEN,))]
    offer_id: Annotated[Text, Column("The offer's id, 24 hexadecimal characters.")]
    phone_number: Annotated[Text, Column("Who clicked.", checks=(PHONE,))]
    timestamp: Annotated[Instant, Column("When it was clicked.", unit="UTC")]
    send_timestamp: Annotated[Instant | None, Column("When the message had been sent.", unit="UTC")] = None


class HistoryRevenue(msgspec.Struct):
    """A record of POST /history/revenue; the API does not deduplicate these."""

    message_id: Annotated[Text, Column("Id of the send that earned it.", checks=(_GIVEN,))]
    offer_id: Annotated[Text, Column("The offer's id, 24 hexadecimal characters.")]
    revenue: Annotated[Money, Column("Amount earned.", "account currency", (NOT_NEGATIVE,))]
    timestamp: Annotated[Instant | None, Column("When it was earned.", unit="UTC")] = None
    payout: Annotated[Money | None, Column("What the offer paid.", "account currency")] = None
    attribution_type: Annotated[Text | None, Column("Such as sale or migration.")] = None
    record_id: Annotated[Text | None, Column("Your own id of the row; tells equal rows apart.")] = None


SENDS = Dataset(
    name="sends",
    row=HistorySend,
    key=("id",),
    doc="One row per message sent by the other platform.",
    source="/api-reference/v2/history/import-sends",
)
CLICKS = Dataset(
    name="clicks",
    row=HistoryClick,
    key=("message_id",),
    doc="One row per click; the API keeps one per message, the first that it is given.",
    source="/api-reference/v2/history/import-clicks",
)
HISTORY_REVENUE = Dataset(
    name="revenue",
    row=HistoryRevenue,
    key=("record_id",),
    doc="One row per conversion; without record_id equal rows are distinguished by how often they occur.",
    source="/api-reference/v2/history/import-revenue",
)
