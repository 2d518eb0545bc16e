"""Readings of a month's revenue, kept over pulls, since snapshots are deleted.

What does not belong here: how readings are taken (see `pipelines.warehouse.history.revenue_readings`).
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Dataset, Day, Instant, Integer, Money, Text
from schemas.marts.columns import CURRENCY


class RevenueReading(msgspec.Struct):
    """A month's revenue in one snapshot."""

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
