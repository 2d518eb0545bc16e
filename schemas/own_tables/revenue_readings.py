"""What a month's revenue was when it was read: kept over pulls, since snapshots are deleted.

What does not belong here: how readings are taken (see `pipelines.warehouse.history.revenue_readings`).
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Dataset, Day, Flag, Instant, Integer, Money, Ratio, Text
from schemas.marts.columns import CURRENCY, mart


class RevenueReading(msgspec.Struct):
    """A month as one snapshot of revenue has it."""

    month: Annotated[Day, Column("First day of the month.")]
    basis: Annotated[
        Text, Column("What the figures are made of; see revenue_daily.", known=("event", "change"))
    ]
    snapshot: Annotated[Text, Column("The snapshot of revenue that was read.")]
    read_at: Annotated[Instant, Column("When that was complete.", "UTC")]
    revenue: Annotated[Money, Column("The month's revenue as read then.", CURRENCY)]
    conversions: Annotated[Integer, Column("Its conversions.", "conversions")]
    payout: Annotated[Money | None, Column("Its payouts (events only).", CURRENCY)]


REVENUE_READINGS = Dataset(
    name="revenue_readings",
    row=RevenueReading,
    key=("month", "basis", "snapshot"),
    doc="One row per month and snapshot in which it was not as before, and for the first after the month's end.",
    source="",
)


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


RESTATED = mart(
    "revenue_restated",
    RevenueRestated,
    ("month", "basis", "snapshot"),
    "One row per month and reading in which its revenue was not as before, and the first after the month's end.",
)
