"""The revenue dataset: events if the account serves them, otherwise changes of the contacts' totals.

GET /revenue is not documented. If it answers, its rows are used (source `events`). If not, the only documented read
with revenue is the totals in GET /contacts: each change of a total between two snapshots is a row (source
`contacts`), the first sync giving the opening balances, so the sum of revenue always equals the sum of
contacts.revenue_total.
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Dataset, Instant, Integer, Label, Money, Text

FROM_EVENTS = "events"
FROM_CONTACTS = "contacts"


class Revenue(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A revenue event, or a change of one contact's totals."""

    revenue: Annotated[Money, Column("Amount; a change of a total may be negative.", "account currency")]
    source: Annotated[
        Text, Column("Where the row comes from: events of the API, or changes of contacts' totals.")
    ] = FROM_EVENTS
    id: Annotated[Label | None, Column("The event's id (events only).")] = None
    message_id: Annotated[Label | None, Column("The send that earned it (events only).")] = None
    offer_id: Annotated[
        Label | None, Column("The offer that paid (events only).", refers_to="main.offers.id")
    ] = None
    phone_number: Annotated[Text | None, Column("The contact's phone number, or its keyed hash.")] = None
    list_id: Annotated[Integer | None, Column("The contact's list.", refers_to="main.lists.id")] = None
    payout: Annotated[Money | None, Column("What the offer paid (events only).", "account currency")] = None
    attribution_type: Annotated[Text | None, Column("sale, click, send or migration (events only).")] = None
    conversion_count: Annotated[
        Integer | None, Column("Change of the contact's conversions (totals only).", "conversions")
    ] = None
    timestamp: Annotated[
        Instant | None,
        Column("When it was earned; for a change of totals, when the later snapshot was taken.", unit="UTC"),
    ] = None
    since: Annotated[
        Instant | None,
        Column("When the earlier snapshot was taken; null in the opening balance and in events.", unit="UTC"),
    ] = None


OF_TOTALS = frozenset({"conversion_count", "since"})
"""Columns of our own that only rows from contacts' totals have."""

REVENUE = Dataset(
    name="revenue",
    row=Revenue,
    key=("id",),
    doc="One row per revenue event, or per change of a contact's totals between two snapshots; see source.",
    source="/api-reference/v2/contacts/list-contacts (GET /revenue is not documented)",
)
