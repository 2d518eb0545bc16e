"""The offers dataset: what messages link to and what pays."""

from typing import Annotated

import msgspec

from schemas.columns import ABSENT, NOT_EMPTY, Column, Dataset, Flag, Instant, Json, Label, Money, Text

STATUSES = ("active", "paused", "archived")
PLATFORMS = ("tune", "everflow")
PAYOUT_TYPES = ("cpa", "cpc")


class Offer(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A row of GET /offers."""

    id: Annotated[Text, Column("The offer's id, 24 hexadecimal characters; the key.", checks=(NOT_EMPTY,))]
    name: Annotated[Text | None, Column("The offer's name.")] = None
    tracking_url: Annotated[Text | None, Column("Where clicks are sent.")] = None
    external_platform: Annotated[
        Text | None, Column("Affiliate network that the offer is linked to.", known=PLATFORMS)
    ] = None
    external_id: Annotated[Label | None, Column("The offer's id on that network.")] = None
    advertiser_id: Annotated[Label | None, Column("The advertiser's id.")] = None
    payout: Annotated[Money | None, Column("What one conversion or click pays.", "account currency")] = None
    payout_type: Annotated[
        Text | None, Column("What is paid for: actions or clicks.", known=PAYOUT_TYPES)
    ] = None
    filter_bots: Annotated[Flag | None, Column("Whether clicks by bots are left out.")] = None
    status: Annotated[Text | None, Column("State; archived offers are kept.", known=STATUSES)] = None
    metadata: Annotated[Json, Column("The account's own notes on the offer, as an object.")] = ABSENT
    created_at: Annotated[Instant | None, Column("When the offer was made.", unit="UTC")] = None
    updated_at: Annotated[Instant | None, Column("When the offer was last changed.", unit="UTC")] = None
    slug: Annotated[Text | None, Column("Readable id (ofr_...), in newer accounts.")] = None


OFFERS = Dataset(
    name="offers",
    row=Offer,
    key=("id",),
    doc="One row per offer, archived ones included.",
    source="/api-reference/v2/offers/list-offers",
)
