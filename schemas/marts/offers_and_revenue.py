"""Marts over offers and revenue: what each offer brings, revenue by day, and how a month has moved since.

What does not belong here: what imported messages earned (`schemas.marts.imports`), and how the marts are computed
(see `schemas.marts`).
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Dataset, Day, Flag, Instant, Integer, Money, Ratio, Text
from schemas.marts.columns import CURRENCY, SHARE, ListName, mart


class OfferPerformance(msgspec.Struct):
    """An offer's figures."""

    offer_id: Annotated[Text, Column("The offer's id; see offers.")]
    offer_name: Annotated[Text | None, Column("The offer's name; null where it was not pulled.")]
    status: Annotated[Text | None, Column("The offer's state.")]
    payout_type: Annotated[Text | None, Column("What is paid for: actions or clicks.")]
    offer_payout: Annotated[
        Money | None, Column("What one conversion or click pays, as the offer says.", CURRENCY)
    ]
    engaged_sends: Annotated[
        Integer | None,
        Column(
            "Imported sends that a click or conversion ties to the offer. The API does not say what a message "
            "carried, so sends without either are in no offer's figure; null where nothing was imported.",
            "messages",
        ),
    ]
    clicks: Annotated[
        Integer | None,
        Column(
            "Imported clicks only: the API serves no others by offer; null where none was imported.", "clicks"
        ),
    ]
    conversions: Annotated[
        Integer | None, Column("Imported revenue records only; null where none was imported.", "conversions")
    ]
    revenue: Annotated[
        Money | None, Column("Revenue of the imported records; null where none was imported.", CURRENCY)
    ]
    payout: Annotated[
        Money | None,
        Column("Payouts of the imported records that give one; null where none does.", CURRENCY),
    ]
    margin: Annotated[
        Money | None, Column("Revenue less payout of the imported records that give a payout.", CURRENCY)
    ]
    margin_share: Annotated[
        Ratio | None,
        Column("margin / revenue of the imported records that give a payout.", "a share up to 1"),
    ]
    epc: Annotated[
        Money | None, Column("Earnings per click: revenue / clicks, of what was imported.", CURRENCY)
    ]
    conversion_rate: Annotated[
        Ratio | None,
        Column("Clicks of messages that the offer then has a conversion of / clicks, as imported.", SHARE),
    ]
    conversions_per_click: Annotated[
        Ratio | None,
        Column(
            "conversions / clicks, of what was imported. Above 1 where messages have several conversions, or "
            "conversions without a click."
        ),
    ]
    event_conversions: Annotated[
        Integer | None,
        Column(
            "Revenue events of the account, imported ones included; null where it serves none (see revenue.source).",
            "conversions",
        ),
    ]
    event_revenue: Annotated[Money | None, Column("Revenue of those events; null likewise.", CURRENCY)]
    event_payout: Annotated[
        Money | None, Column("Payouts of those events that give one; null where none does.", CURRENCY)
    ]
    event_margin: Annotated[
        Money | None, Column("Revenue less payout of those events that give a payout.", CURRENCY)
    ]


class RevenueDaily(msgspec.Struct):
    """Revenue of a day."""

    day: Annotated[
        Day | None,
        Column(
            "Events: when it was earned. Changes: when a pull saw it. Null for opening balances, earned before "
            "the first pull."
        ),
    ]
    basis: Annotated[
        Text,
        Column("What the figures are made of; see revenue.source.", known=("event", "change", "opening")),
    ]
    list_id: Annotated[Integer | None, Column("The contact's list; null where an event does not say.")]
    list_name: ListName
    offer_id: Annotated[
        Text | None, Column("The offer (events only): contacts' totals do not say which offer paid.")
    ]
    offer_name: Annotated[Text | None, Column("The offer's name (events only).")]
    revenue: Annotated[Money, Column("Revenue; a change of totals may be negative.", CURRENCY)]
    conversions: Annotated[Integer, Column("Events, or the change of contacts' conversions.", "conversions")]
    payout: Annotated[Money | None, Column("Payouts (events only); null where no event gives one.", CURRENCY)]


class RevenueRestated(msgspec.Struct):
    """How far a month has moved by one reading."""

    month: Annotated[Day, Column("First day of the month.")]
    basis: Annotated[
        Text,
        Column(
            "event or change; see revenue_daily. Changes are dated by the pull that saw them, so only the month of "
            "a pull moves."
        ),
    ]
    snapshot: Annotated[Text, Column("The snapshot of revenue that was read; see sync.snapshots.")]
    read_at: Annotated[Instant, Column("When that was complete.", "UTC")]
    revenue: Annotated[Money, Column("The month's revenue as read then.", CURRENCY)]
    conversions: Annotated[Integer, Column("Its conversions as read then.", "conversions")]
    change: Annotated[
        Money | None, Column("revenue less that of the reading before; null for the first.", CURRENCY)
    ]
    first_revenue: Annotated[Money, Column("The month's revenue as it was first read.", CURRENCY)]
    moved: Annotated[Money, Column("revenue - first_revenue.", CURRENCY)]
    moved_share: Annotated[Ratio | None, Column("moved / first_revenue; null where that is 0.")]
    closed_revenue: Annotated[
        Money | None, Column("Its revenue as first read after the month's end; null before.", CURRENCY)
    ]
    moved_after_end: Annotated[
        Money | None, Column("revenue - closed_revenue: restated when the month was over.", CURRENCY)
    ]
    latest: Annotated[
        Flag,
        Column(
            "Whether it is the month's last reading: what revenue_daily has now. False on a basis that revenue is no "
            "longer made of: its readings stay as they were, and those on the other one start afresh."
        ),
    ]


REVENUE_MARTS: tuple[Dataset, ...] = (
    mart(
        "offer_performance",
        OfferPerformance,
        ("offer_id",),
        "One row per offer. What was imported and what the account's events say stand apart, since they overlap.",
    ),
    mart(
        "revenue_daily",
        RevenueDaily,
        ("day", "basis", "list_id", "offer_id"),
        "One row per day, list and offer of main.revenue; adds up to sum(revenue.revenue).",
    ),
    mart(
        "revenue_restated",
        RevenueRestated,
        ("month", "basis", "snapshot"),
        "One row per month and reading in which its revenue was not as before, and the first after the month's end.",
    ),
)
"""In an order in which each one reads only those before it."""
