"""Marts over imported history: what became of its rows and messages, and what they earned within which time.

What does not belong here: how the marts are computed (see `schemas.marts`).
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Dataset, Day, Flag, Instant, Integer, Money, Ratio, Text
from schemas.marts.columns import CURRENCY, SHARE, ListName, mart

_MonthOfSend = Annotated[
    Day | None,
    Column(
        "First day of the month in which the message was sent; where that is not known, of its click, else of its "
        "first conversion."
    ),
]
_ListOfSend = Annotated[Integer | None, Column("The list of the send; null where it is not known.")]
_Sends = Annotated[Integer, Column("Imported sends.", "messages")]
_Clicked = Annotated[Integer, Column("Those of the sends that were clicked.", "messages")]
_Earned = Annotated[Money, Column("Imported revenue.", CURRENCY)]
_Conversions = Annotated[Integer, Column("Imported revenue records.", "conversions")]
_Send24h = Annotated[Money, Column("Of it, earned up to 24 hours after the send.", CURRENCY)]
_Send7d = Annotated[Money, Column("Up to 7 days after the send, the 24 hours included.", CURRENCY)]
_Send30d = Annotated[Money, Column("Up to 30 days after the send, the 7 days included.", CURRENCY)]
_Send90d = Annotated[Money, Column("Up to 90 days after the send, the 30 days included.", CURRENCY)]
_SendLater = Annotated[Money, Column("More than 90 days after the send.", CURRENCY)]
_SendUnknown = Annotated[
    Money,
    Column(
        "Earned before the send, or at a time that is not known, or by a send whose time is not known. With "
        "from_send_90d and from_send_later it adds up to revenue.",
        CURRENCY,
    ),
]


class ImportedActivity(msgspec.Struct):
    """An imported record that is in the account."""

    dataset: Annotated[Text, Column("sends, clicks or revenue.")]
    message_id: Annotated[Text | None, Column("Id of the send; for a click or revenue, of its send.")]
    happened_at: Annotated[
        Instant | None,
        Column("When it was sent, clicked or earned; null where neither input nor warehouse kept it.", "UTC"),
    ]
    day: Annotated[Day | None, Column("The day of happened_at.")]
    list_id: Annotated[
        Integer | None,
        Column("The list of the send; null where that send was not imported, or its list is not known."),
    ]
    offer_id: Annotated[
        Text | None,
        Column("The offer; null for sends, and where neither input nor warehouse kept it."),
    ]
    revenue: Annotated[Money | None, Column("Amount earned (revenue only).", CURRENCY)]
    payout: Annotated[Money | None, Column("What the offer paid, where the row says so.", CURRENCY)]
    phone_number: Annotated[
        Text | None,
        Column("Whom it was sent to, or who clicked, or its hash; of revenue, whom the send went to."),
    ]
    send_type: Annotated[Text | None, Column("Kind of send; of clicks and revenue, that of their send.")]
    delivered: Annotated[Flag | None, Column("Whether it was delivered (sends only).")]
    length: Annotated[Integer | None, Column("Length of the text (sends only).", "characters")]
    send_timestamp: Annotated[
        Instant | None, Column("When the message was sent, by the click (clicks only).", "UTC")
    ]
    attribution_type: Annotated[Text | None, Column("Such as sale or migration (revenue only).")]


class ImportedDaily(msgspec.Struct):
    """A day of imported history."""

    day: Annotated[Day | None, Column("When it happened on the other platform; null where not known.")]
    list_id: Annotated[Integer | None, Column("The list; null where it is not known.")]
    list_name: ListName
    offer_id: Annotated[
        Text | None, Column("The offer; null for sends: the API does not say what they carried.")
    ]
    offer_name: Annotated[Text | None, Column("The offer's name.")]
    sends: Annotated[Integer, Column("Imported sends.", "messages")]
    clicks: Annotated[Integer, Column("Imported clicks.", "clicks")]
    conversions: Annotated[Integer, Column("Imported revenue records.", "conversions")]
    revenue: Annotated[
        Money | None,
        Column(
            "Imported revenue, which is in contacts' totals too; null where no record gives any.", CURRENCY
        ),
    ]
    payout: Annotated[Money | None, Column("Imported payouts; null where no record gives one.", CURRENCY)]


class ImportOutcome(msgspec.Struct):
    """What became of imported rows."""

    dataset: Annotated[Text, Column("sends, clicks or revenue.")]
    day: Annotated[Day | None, Column("When the row's last call was answered; null for rows never sent.")]
    outcome: Annotated[Text, Column("What became of the rows; see imports.records.")]
    code: Annotated[Text | None, Column("The API's code, or ours; null where the outcome is plain.")]
    reason: Annotated[Text | None, Column("Why, for rows that were held back before sending.")]
    rows: Annotated[Integer, Column("Rows of history.", "rows")]


class ImportedMessage(msgspec.Struct):
    """A message and what followed."""

    message_id: Annotated[Text, Column("The send's id, which clicks and revenue refer to.")]
    month: _MonthOfSend
    list_id: _ListOfSend
    offer_id: Annotated[
        Text | None,
        Column(
            "The offer that was clicked, else the one that earned first; null without either: the API does not say "
            "what a message carried."
        ),
    ]
    phone_number: Annotated[
        Text | None, Column("Whom it was sent to, or its hash; where the send is not known, who clicked.")
    ]
    send_type: Annotated[Text | None, Column("Kind of send, as its file says.")]
    delivered: Annotated[Flag | None, Column("Whether it was delivered; null where its file does not say.")]
    is_sent: Annotated[
        Flag, Column("Whether the send is among the imported ones; else only its clicks or revenue are.")
    ]
    sent_at: Annotated[
        Instant | None, Column("When it was sent; where the send is not known, as its click says.", "UTC")
    ]
    clicked_at: Annotated[Instant | None, Column("When it was clicked; null: it was not.", "UTC")]
    earned_at: Annotated[Instant | None, Column("When it first earned, where a record says so.", "UTC")]
    is_clicked: Annotated[Flag, Column("Whether an imported click is of it.")]
    conversions: _Conversions
    revenue: _Earned
    click_lag_hours: Annotated[
        Ratio | None, Column("From sent_at to clicked_at; negative where a file has them so.", "hours")
    ]
    revenue_lag_hours: Annotated[Ratio | None, Column("From sent_at to earned_at.", "hours")]
    click_revenue_lag_hours: Annotated[Ratio | None, Column("From clicked_at to earned_at.", "hours")]


class Funnel(msgspec.Struct):
    """From send to revenue."""

    month: _MonthOfSend
    list_id: _ListOfSend
    list_name: ListName
    offer_id: Annotated[
        Text | None,
        Column(
            "Of a message the offer that was clicked, else the one that earned first; of conversions and revenue "
            "the record's own. Null for messages without either."
        ),
    ]
    offer_name: Annotated[Text | None, Column("The offer's name; null where it was not pulled.")]
    sends: Annotated[Integer, Column("Imported sends; each is in one row.", "messages")]
    delivered: Annotated[Integer, Column("Those of them that their file calls delivered.", "messages")]
    undelivered: Annotated[Integer, Column("Those of them that their file calls not delivered.", "messages")]
    clicked: _Clicked
    not_clicked: Annotated[Integer, Column("Sends without a click: sends - clicked.", "messages")]
    converted: Annotated[Integer, Column("Those of the sends with a conversion, clicked or not.", "messages")]
    clicked_converted: Annotated[Integer, Column("Those of the clicked with a conversion.", "messages")]
    converted_not_clicked: Annotated[
        Integer, Column("Sends with a conversion and without a click.", "messages")
    ]
    clicks_without_send: Annotated[
        Integer, Column("Clicked messages whose send is not among the imported ones.", "messages")
    ]
    conversions: _Conversions
    conversions_without_send: Annotated[
        Integer, Column("Those of them whose send is not among the imported ones.", "conversions")
    ]
    revenue: _Earned
    click_rate: Annotated[
        Ratio | None,
        Column(
            "clicked / sends; null without sends. Of a list or a month: sum(clicked) / sum(sends). In one row it "
            "says little, since a message has its offer by its click: 1 in most rows with an offer, 0 in others.",
            SHARE,
        ),
    ]
    conversion_rate: Annotated[
        Ratio | None, Column("clicked_converted / clicked; null without clicks.", SHARE)
    ]
    click_lag_hours: Annotated[
        Ratio | None, Column("Median of the time from send to click, of those clicked.", "hours")
    ]
    revenue_lag_hours: Annotated[
        Ratio | None, Column("Median of the time from send to first conversion.", "hours")
    ]
    click_revenue_lag_hours: Annotated[
        Ratio | None, Column("Median of the time from click to first conversion.", "hours")
    ]


class RevenueWindows(msgspec.Struct):
    """Revenue by how long after."""

    month: _MonthOfSend
    list_id: _ListOfSend
    list_name: ListName
    offer_id: Annotated[Text | None, Column("The offer of the revenue.")]
    offer_name: Annotated[Text | None, Column("The offer's name; null where it was not pulled.")]
    conversions: _Conversions
    revenue: _Earned
    from_send_24h: _Send24h
    from_send_7d: _Send7d
    from_send_30d: _Send30d
    from_send_90d: _Send90d
    from_send_later: _SendLater
    from_send_unknown: _SendUnknown
    from_click_24h: Annotated[Money, Column("Of revenue, earned up to 24 hours after the click.", CURRENCY)]
    from_click_7d: Annotated[Money, Column("Up to 7 days after the click, the 24 hours included.", CURRENCY)]
    from_click_30d: Annotated[Money, Column("Up to 30 days after the click, the 7 days included.", CURRENCY)]
    from_click_90d: Annotated[Money, Column("Up to 90 days after the click, the 30 days included.", CURRENCY)]
    from_click_later: Annotated[Money, Column("More than 90 days after the click.", CURRENCY)]
    from_click_unknown: Annotated[
        Money,
        Column(
            "By a message that was not clicked, or earned before the click, or at a time that is not known. With "
            "from_click_90d and from_click_later it adds up to revenue.",
            CURRENCY,
        ),
    ]


class SendHour(msgspec.Struct):
    """An hour of the day."""

    list_id: _ListOfSend
    list_name: ListName
    hour: Annotated[
        Integer | None,
        Column("Hour of the day of the send, 0 to 23; null where its time is not known.", "UTC"),
    ]
    sends: _Sends
    clicked: _Clicked
    converted: Annotated[Integer, Column("Those of the sends with a conversion.", "messages")]
    click_rate: Annotated[Ratio | None, Column("clicked / sends; null without sends.", SHARE)]
    revenue: Annotated[Money, Column("Imported revenue of the sends.", CURRENCY)]
    from_send_24h: _Send24h
    from_send_7d: _Send7d
    from_send_30d: _Send30d
    from_send_90d: _Send90d
    from_send_later: _SendLater
    from_send_unknown: _SendUnknown
    revenue_per_send: Annotated[Money | None, Column("revenue / sends.", CURRENCY)]


IMPORT_MARTS: tuple[Dataset, ...] = (
    mart(
        "imported_activity",
        ImportedActivity,
        (),
        "One row per imported record that is in the account: accepted, or skipped as there already.",
    ),
    mart(
        "imported_daily",
        ImportedDaily,
        ("day", "list_id", "offer_id"),
        "One row per day, list and offer of imported history, by when it happened.",
    ),
    mart(
        "import_outcomes",
        ImportOutcome,
        ("dataset", "day", "outcome", "code", "reason"),
        "One row per dataset, day, outcome and code of pushed history.",
    ),
    mart(
        "imported_messages",
        ImportedMessage,
        ("message_id",),
        "One row per message of imported history: its send, its click, and what it earned, with the time between.",
    ),
    mart(
        "funnel",
        Funnel,
        ("month", "list_id", "offer_id"),
        "One row per month of the send, list and offer: imported sends, clicks and revenue, and the time between.",
    ),
    mart(
        "revenue_windows",
        RevenueWindows,
        ("month", "list_id", "offer_id"),
        "One row per month of the send, list and offer: imported revenue within 24 hours, 7, 30 and 90 days of the "
        "send, and of the click.",
    ),
    mart(
        "send_hours",
        SendHour,
        ("list_id", "hour"),
        "One row per list and hour of the day (UTC) of imported sends: their clicks, and revenue by how long after.",
    ),
)
"""In an order in which each one reads only those before it."""
