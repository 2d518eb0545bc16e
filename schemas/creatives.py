"""The creatives dataset: message templates, and the links in them as rows of their own."""

from typing import Annotated

import msgspec

from schemas.columns import ABSENT, NOT_NEGATIVE, Column, Dataset, Instant, Integer, Json, Text

STATUSES = ("active", "paused", "archived")
TYPES = ("automated", "one_time", "welcome")
MATCHES = ("id", "slug")


class Creative(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A row of GET /creatives."""

    id: Annotated[Integer, Column("The creative's id; the key.")]
    name: Annotated[Text | None, Column("The creative's name.")] = None
    message: Annotated[
        Text | None, Column("Its text, with placeholders such as link1 in double braces where links go.")
    ] = None
    offer_links: Annotated[
        Json,
        Column(
            "Its links as sent, one object per placeholder; creative_links has them as rows.", objects=True
        ),
    ] = ABSENT
    offers: Annotated[Json, Column("Offers that it names, as sent: a list of ids or slugs.")] = ABSENT
    status: Annotated[Text | None, Column("State; archived creatives are kept.", known=STATUSES)] = None
    creative_type: Annotated[Text | None, Column("What it is for.", known=TYPES)] = None
    character_count: Annotated[
        Integer | None,
        Column(
            "The account's estimate: each link counts as 23 characters, and 34 are added for compliance.",
            "characters",
            (NOT_NEGATIVE,),
        ),
    ] = None
    segment_count: Annotated[
        Integer | None,
        Column(
            "The account's estimate out of character_count; it ignores the encoding, so what is billed may be more.",
            "segments",
            (NOT_NEGATIVE,),
        ),
    ] = None
    created_at: Annotated[Instant | None, Column("When the creative was made.", unit="UTC")] = None
    slug: Annotated[Text | None, Column("Readable id (cre_...), in newer accounts.")] = None


class CreativeLink(msgspec.Struct):
    """A link of a creative."""

    creative_id: Annotated[Integer, Column("The creative.", refers_to="main.creatives.id")]
    position: Annotated[Integer, Column("The link's place in offer_links, from 1.")]
    key: Annotated[Text | None, Column("The placeholder that it fills, such as link1.")]
    offer_id: Annotated[Text | None, Column("The offer as sent: an id, a slug, or one that is not there.")]
    url: Annotated[Text | None, Column("Address in place of the offer's own; null for that one.")]
    url_params: Annotated[Json, Column("Parameters that are added to the address, as an object.")]
    resolved_offer_id: Annotated[
        Text | None,
        Column(
            "offers.id of the offer whose id or slug offer_id is; null where there is none.",
            refers_to="main.offers.id",
        ),
    ]
    matched_by: Annotated[
        Text | None, Column("What of the offer offer_id is; null where none.", known=MATCHES)
    ]
    synced_at: Annotated[Instant, Column("When the reply that held the creative was received.", unit="UTC")]
    snapshot: Annotated[Text, Column("The snapshot of creatives; see sync.snapshots.")]


CREATIVES = Dataset(
    name="creatives",
    row=Creative,
    key=("id",),
    doc="One row per creative, paused and archived ones included.",
    source="/api-reference/v2/creatives/list-creatives",
)
CREATIVE_LINKS = Dataset(
    name="creative_links",
    row=CreativeLink,
    key=("creative_id", "position"),
    doc="One row per link of a creative, out of creatives.offer_links. No figures of performance: the API has none.",
    source="/api-reference/v2/creatives/list-creatives",
)
