"""The marts that are made of webhook events, each column's type and meaning; see `schemas.marts`.

How a mart is computed stands in `pipelines/warehouse/marts/<name>.sql`, whose columns are these.
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Day, Flag, Instant, Integer, Ratio, Text
from schemas.marts.columns import mart

OUTCOMES = ("delivered", "no_receipt", "failed", "pending", "other")
FINDINGS = ("sent_after_opt_out", "contact_sent_after_opt_out", "still_active", "schedule_would_reach")

_Phone = Annotated[Text | None, Column("The person's phone number, or its keyed hash; see contacts.")]
_ListId = Annotated[
    Integer | None,
    Column(
        "The list's id by its number: the list that is not deleted, else the deleted one; null where there is none, "
        "where several may be meant, and where lists were not pulled."
    ),
]
_ListNumber = Annotated[Text | None, Column("The list's number, as the event says.")]
_Bodies = Annotated[Integer, Column("Different bodies that report it.", "bodies")]
_Repeats = Annotated[Integer, Column("How often one of them came again.", "times")]
_Disagreements = Annotated[
    Integer, Column("Bodies that report the same happening as another, with other details.", "bodies")
]


class Message(msgspec.Struct):
    """A message, as events report it."""

    message_id: Annotated[Text, Column("The message.")]
    phone_number: _Phone
    list_id: _ListId
    list_number: _ListNumber
    outcome: Annotated[
        Text,
        Column(
            "no_receipt: delivered to the operator, which does not say whether it reached the handset, or sent and "
            "no event since. failed: undeliverable, expired, rejected or failed. other: no documented status.",
            known=OUTCOMES,
        ),
    ]
    status: Annotated[
        Text | None,
        Column(
            "Its state: the newest final one by the event's own time, else the newest; arrival plays no part."
        ),
    ]
    is_final: Annotated[Flag, Column("Whether that is a final state.")]
    status_detail: Annotated[Text | None, Column("The provider's own word for it.")]
    provider: Annotated[Text | None, Column("The provider that reported it.")]
    status_at: Annotated[Instant | None, Column("When it came into that state.", "UTC")]
    first_at: Annotated[Instant | None, Column("When the first that is known of it happened.", "UTC")]
    sent_at: Annotated[
        Instant | None, Column("When it was sent; null where neither an event nor an import says so.", "UTC")
    ]
    delivered_at: Annotated[Instant | None, Column("When it was first delivered.", "UTC")]
    seconds_to_delivery: Annotated[
        Ratio | None, Column("delivered_at less sent_at; null where either is not known.", "seconds")
    ]
    bodies: _Bodies
    repeats: _Repeats
    disagreements: _Disagreements


class DeliveryDay(msgspec.Struct):
    """Messages of a day that have much in common."""

    day: Annotated[
        Day | None, Column("When they were sent, or first reported; null where no event has a time.")
    ]
    list_id: _ListId
    list_number: _ListNumber
    carrier: Annotated[Text | None, Column("The contact's carrier; null where the number is no contact's.")]
    line_type: Annotated[Text | None, Column("The contact's kind of line; null likewise.")]
    provider: Annotated[Text | None, Column("The provider that reported the state.")]
    reason: Annotated[Text | None, Column("The provider's own word for the state.")]
    local_hour: Annotated[
        Integer | None, Column("Hour of the day in the contact's time zone; null where that is not known.")
    ]
    messages: Annotated[Integer, Column("Messages; the sum of the five that follow.", "messages")]
    delivered: Annotated[Integer, Column("Those delivered.", "messages")]
    no_receipt: Annotated[
        Integer, Column("Those delivered to the operator, or sent, without a receipt.", "messages")
    ]
    failed: Annotated[Integer, Column("Those that failed for good.", "messages")]
    pending: Annotated[Integer, Column("Those that are under way.", "messages")]
    other: Annotated[Integer, Column("Those in a state that is not documented.", "messages")]
    timed: Annotated[Integer, Column("Those whose time to delivery is known.", "messages")]
    seconds_total: Annotated[Ratio | None, Column("Their times to delivery, added up.", "seconds")]
    seconds_median: Annotated[Ratio | None, Column("The median of their times to delivery.", "seconds")]


class OptOut(msgspec.Struct):
    """A person who opted out of a list, as events report it."""

    phone_number: _Phone
    list_id: _ListId
    list_number: _ListNumber
    first_at: Annotated[Instant, Column("When the person first opted out.", "UTC")]
    last_at: Annotated[Instant, Column("When the person last did.", "UTC")]
    keyword: Annotated[Text | None, Column("What the person wrote the last time.")]
    bodies: _Bodies
    repeats: _Repeats
    disagreements: _Disagreements
    contact_active: Annotated[
        Flag | None, Column("Whether the contact receives messages by the last pull; null where it is none.")
    ]
    contact_as_of: Annotated[Instant | None, Column("When that was read.", "UTC")]


class Reply(msgspec.Struct):
    """A reply that was no opt-out."""

    written_at: Annotated[
        Instant, Column("When it was written, as the event says; else when it came.", "UTC")
    ]
    phone_number: Annotated[
        Text | None, Column("Who replied; the vendor does not document the field, so usual names are tried.")
    ]
    list_id: _ListId
    list_number: _ListNumber
    message_id: Annotated[Text | None, Column("The message, where the event names one.")]
    text: Annotated[Text | None, Column("What was written; usual names of the field are tried.")]
    verified: Annotated[Flag, Column("Whether the event's signature was right.")]
    digest: Annotated[Text, Column("The body in webhook_events.")]
    position: Annotated[Integer, Column("The event's place in that body.")]
    bodies: _Bodies
    repeats: _Repeats


class ComplianceFinding(msgspec.Struct):
    """Something about an opted-out person that a person should look at."""

    finding: Annotated[
        Text,
        Column(
            "sent_after_opt_out: events report a message after the opt-out. contact_sent_after_opt_out: contacts "
            "do. still_active: the next proven snapshot after the opt-out has the contact as active. "
            "schedule_would_reach: a schedule that is on has the contact in an audience, active by the last pull.",
            known=FINDINGS,
        ),
    ]
    phone_number: _Phone
    list_id: _ListId
    list_number: _ListNumber
    opted_out_at: Annotated[Instant, Column("When the person first opted out.", "UTC")]
    found_at: Annotated[
        Instant | None,
        Column(
            "The first such message, or when that snapshot was complete; of a schedule, when the contact was read.",
            "UTC",
        ),
    ]
    messages: Annotated[Integer | None, Column("Such messages; null where it is about none.", "messages")]
    evidence: Annotated[
        Text,
        Column(
            "What it rests on. first event: when it was sent is not known, so the message may have been under way "
            "before the opt-out. For schedules see sync.audience_opted_out: filter read widely, or source lists, "
            "mean perhaps."
        ),
    ]
    schedule_id: Annotated[Text | None, Column("The schedule (schedule_would_reach only).")]
    schedule_name: Annotated[Text | None, Column("The schedule's name.")]


class WebhookGap(msgspec.Struct):
    """What pulls of contacts show for a day and no event reported."""

    day: Annotated[
        Day,
        Column("The day: of last_sent_at where it lies between the two looks, else of the look that saw it."),
    ]
    list_id: Annotated[Integer, Column("The contacts' list.")]
    list_name: Annotated[Text | None, Column("The list's name; null where lists were not pulled.")]
    sends_seen: Annotated[
        Integer,
        Column("What contacts' send_count gained from look to look, imported sends left out.", "messages"),
    ]
    sends_reported: Annotated[Integer, Column("Of those, messages that events reported.", "messages")]
    sends_missing: Annotated[
        Integer, Column("The others: an estimate of messages whose events were lost.", "messages")
    ]
    opt_outs_seen: Annotated[Integer, Column("Contacts that became inactive from look to look.", "contacts")]
    opt_outs_reported: Annotated[
        Integer, Column("Of those, contacts whose opt-out an event reported.", "contacts")
    ]
    opt_outs_missing: Annotated[
        Integer,
        Column(
            "The others: opt-outs whose events were lost, and contacts that somebody made inactive.",
            "contacts",
        ),
    ]


WEBHOOK_MARTS = (
    mart("messages", Message, ("message_id",), "One row per message that a delivery event reported."),
    mart(
        "delivery_daily",
        DeliveryDay,
        ("day", "list_number", "carrier", "line_type", "provider", "reason", "local_hour"),
        "One row per day, list, carrier, line type, provider, reason and local hour of messages; see marts.messages.",
    ),
    mart(
        "opt_outs",
        OptOut,
        ("phone_number", "list_number"),
        "One row per person and list whose opt-out an event reported; contacts.active has the others too.",
    ),
    mart("replies", Reply, ("digest", "position"), "One row per reply that an event reported."),
    mart(
        "compliance",
        ComplianceFinding,
        ("finding", "phone_number", "list_number", "schedule_id"),
        "One row per finding about a person who opted out by a reply.",
    ),
    mart(
        "webhook_gaps",
        WebhookGap,
        ("day", "list_id"),
        "One row per day and list: sends and opt-outs that pulls saw, and how many of them no event reported.",
    ),
)
"""In an order in which each one reads only those before it."""
