"""Webhook events: webhook_events, and the receiver's own figures in sync.webhooks.

The vendor does not document that bodies are complete, ordered or sent once, so every column from a body may be null.
What does not belong here: how bodies are received and read (see `pipelines.webhooks`).
"""

from typing import Annotated

import msgspec

from schemas.columns import ABSENT, Column, Dataset, Flag, Instant, Integer, Json, Text

EVENTS = ("delivery", "unsubscribe", "reply", "sent", "click", "conversion", "opt-out")
STATUSES = ("pending", "delivered", "undeliverable", "expired", "rejected")
CONTRACT = 4
"""Raise it if bodies are read differently: the next publish then reads all stored bodies again."""


class Documented(msgspec.Struct, kw_only=True):
    """The documented fields of an event, as texts."""

    event: Annotated[Text | None, Column("What happened; null where the body does not say.", known=EVENTS)]
    message_id: Annotated[Text | None, Column("The message (delivery events).")]
    to: Annotated[
        Text | None, Column("Whom the message went to, or the number's keyed hash (delivery events).")
    ]
    phone_number: Annotated[
        Text | None, Column("Who opted out or replied, or the number's keyed hash (other events).")
    ]
    list_number: Annotated[Text | None, Column("Phone number of the list; see lists.phone_number.")]
    status: Annotated[Text | None, Column("How far the message came (delivery events).", known=STATUSES)]
    status_detail: Annotated[Text | None, Column("The provider's own word for it; open text.")]
    provider: Annotated[Text | None, Column("The provider that carried the message.")]
    keyword: Annotated[Text | None, Column("What the person wrote to opt out; open text.")]
    timestamp: Annotated[Instant | None, Column("When it happened, as the event says.", "UTC")]


class WebhookEvent(Documented, kw_only=True):
    """One event of one body that was received."""

    received_at: Annotated[Instant, Column("When the body first came.", "UTC")]
    verified: Annotated[
        Flag,
        Column("Whether its signature was right; false where no secret was set, so that none was asked for."),
    ]
    repeats: Annotated[Integer, Column("How often the same body came again.", "times")]
    repeated_at: Annotated[Instant | None, Column("When it last came again.", "UTC")]
    digest: Annotated[
        Text,
        Column("SHA-256 of the raw body in hex; keyed, with hmac: in front, where phones are hashed."),
    ]
    position: Annotated[Integer, Column("The event's place in its body, from 0; bodies hold one as a rule.")]
    happening: Annotated[
        Text | None,
        Column(
            "Digest of event, message or phone, list, status and timestamp: bodies that report one thing with "
            "other details share it. Null where the body does not say what it reports."
        ),
    ]
    problem: Annotated[Text | None, Column("What could not be read in the body; null where nothing.")]
    extra: Annotated[Json, Column("Fields that the contract does not know, as an object.")] = ABSENT
    raw: Annotated[
        Text | None,
        Column(
            "The body as it came, without what could be phone numbers where they are hashed; bytes that are no "
            "UTF-8 are written as \\xNN. Null after TRACKLY_WEBHOOK_KEEP_DAYS."
        ),
    ]


class Webhooks(msgspec.Struct, kw_only=True):
    """The published position in the queue, and the receiver's counts."""

    queue: Annotated[Text, Column("Id of the queue that the events are from.")]
    change: Annotated[Integer, Column("The queue's last change that webhook_events has.")]
    contract: Annotated[Integer, Column("The version of the contract that bodies were read by.")]
    personal_data: Annotated[Text, Column("What was kept of phone numbers, by the settings at that time.")]
    bodies: Annotated[Integer, Column("Bodies in the queue.", "bodies")]
    repeats: Annotated[Integer, Column("How often one of them came again, in all.", "times")]
    disagreements: Annotated[
        Integer,
        Column("Bodies that report a happening that another body reports with other details.", "bodies"),
    ]
    unsigned: Annotated[Integer, Column("Requests refused since they had no signature.", "requests")]
    wrongly_signed: Annotated[
        Integer, Column("Requests refused since their signature was wrong.", "requests")
    ]
    last_received_at: Annotated[Instant | None, Column("When the last body came.", "UTC")]
    published_at: Annotated[Instant, Column("When this was published.", "UTC")]


class WebhookRejection(msgspec.Struct, kw_only=True):
    """A request that was refused."""

    at: Annotated[Instant, Column("When it came.", "UTC")]
    reason: Annotated[Text, Column("Why it was refused.", known=("unsigned", "wrongly_signed"))]
    size: Annotated[Integer, Column("Size of its body, which is not kept.", "bytes")]


_PAGE = "/api-reference/v2/webhooks/events"
WEBHOOK_EVENTS = Dataset(
    name="webhook_events",
    row=WebhookEvent,
    key=("digest", "position"),
    doc="One row per event that the receiver was sent, each body once however often it came.",
    source=_PAGE,
)
WEBHOOKS = Dataset(
    name="webhooks",
    row=Webhooks,
    key=("queue",),
    doc="One row: how far events are published, and what the receiver counted. Empty before the first event.",
    source="",
)
REJECTIONS = Dataset(
    name="webhook_rejections",
    row=WebhookRejection,
    key=(),
    doc="One row per request that the receiver refused for its signature; the last ten thousand are kept.",
    source="",
)
DOCUMENTED = tuple(Documented.__struct_fields__)
"""The documented fields."""
