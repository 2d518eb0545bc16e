"""Marts over what was pulled and pushed: lists, offers, revenue, imported records, freshness.

What does not belong here: marts of contacts, campaigns, events and imported messages, each in its module.
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Dataset, Day, Flag, Instant, Integer, Money, Ratio, Text
from schemas.marts.columns import CURRENCY, SHARE, ListId, ListName, mart


class ListHealth(msgspec.Struct):
    """A list as it stands."""

    list_id: ListId
    list_name: ListName
    brand_name: Annotated[Text | None, Column("Brand that the list sends for.")]
    status: Annotated[Text | None, Column("The list's state.")]
    contacts: Annotated[Integer, Column("Contacts on the list.", "contacts")]
    active: Annotated[Integer, Column("Contacts that receive messages.", "contacts")]
    reachable: Annotated[
        Integer, Column("Active contacts whose number is not known to be invalid.", "contacts")
    ]
    active_share: Annotated[Ratio | None, Column("active / contacts.", SHARE)]
    never_sent: Annotated[Integer, Column("Active contacts that no message was ever sent to.", "contacts")]
    clicked_30d: Annotated[Integer, Column("Contacts that clicked in the 30 days before as_of.", "contacts")]
    signups_7d: Annotated[Integer, Column("Contacts that joined in the 7 days before as_of.", "contacts")]
    signups_30d: Annotated[Integer, Column("Contacts that joined in the 30 days before as_of.", "contacts")]
    sends: Annotated[Integer, Column("Messages sent to the list's contacts so far.", "messages")]
    clicks: Annotated[Integer, Column("Clicks by the list's contacts so far.", "clicks")]
    click_rate: Annotated[
        Ratio | None,
        Column(
            "clicks / sends; null where nothing was sent. Above 1 where messages were clicked more than once, or "
            "clicks were imported without their sends."
        ),
    ]
    conversions: Annotated[Integer, Column("Conversions of the list's contacts so far.", "conversions")]
    revenue: Annotated[Money, Column("Revenue of the list's contacts so far.", CURRENCY)]
    revenue_per_contact: Annotated[Money | None, Column("revenue / contacts.", CURRENCY)]
    as_of: Annotated[
        Instant | None, Column("When the newest of the contacts was read; null before a pull.", "UTC")
    ]


class ListGrowth(msgspec.Struct):
    """A day of a list."""

    day: Annotated[Day | None, Column("The day; null for contacts without a sign-up date.")]
    list_id: ListId
    list_name: ListName
    signups: Annotated[
        Integer,
        Column("Contacts that joined, also those gone since, as far as a pull has seen them.", "contacts"),
    ]
    removed: Annotated[
        Integer,
        Column("Contacts that a pull first found gone on that day, and that stayed away.", "contacts"),
    ]
    contacts: Annotated[Integer, Column("All signups less all removed up to that day.", "contacts")]


class ImportedActivity(msgspec.Struct):
    """An imported record that is in the account."""

    dataset: Annotated[Text, Column("sends, clicks or revenue.")]
    message_id: Annotated[Text | None, Column("The send: its own id, or that of the click's or revenue's.")]
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
        Instant | None, Column("When the message had been sent, as the click says (clicks only).", "UTC")
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


class EngagementCohort(msgspec.Struct):
    """Contacts that joined in one month."""

    month: Annotated[Day | None, Column("First day of the sign-up month; null without a sign-up date.")]
    contacts: Annotated[Integer, Column("Contacts that joined then and are still there.", "contacts")]
    active: Annotated[Integer, Column("Those that receive messages.", "contacts")]
    sent: Annotated[Integer, Column("Those that at least one message was sent to.", "contacts")]
    clicked: Annotated[Integer, Column("Those that clicked at least once.", "contacts")]
    converted: Annotated[Integer, Column("Those with at least one conversion.", "contacts")]
    clicked_30d: Annotated[
        Integer, Column("Those that clicked in the 30 days before the newest contact was read.", "contacts")
    ]
    revenue: Annotated[Money, Column("Their revenue so far.", CURRENCY)]
    active_share: Annotated[Ratio, Column("active / contacts.", SHARE)]
    clicked_share: Annotated[Ratio | None, Column("clicked / sent; null where nobody was sent to.", SHARE)]
    converted_share: Annotated[Ratio, Column("converted / contacts.", SHARE)]
    revenue_per_contact: Annotated[Money, Column("revenue / contacts.", CURRENCY)]


class ImportOutcome(msgspec.Struct):
    """What became of imported rows."""

    dataset: Annotated[Text, Column("sends, clicks or revenue.")]
    day: Annotated[Day | None, Column("When the row's last call was answered; null for rows never sent.")]
    outcome: Annotated[Text, Column("What became of the rows; see imports.records.")]
    code: Annotated[Text | None, Column("The API's code, or ours; null where the outcome is plain.")]
    reason: Annotated[Text | None, Column("Why, for rows that were held back before sending.")]
    rows: Annotated[Integer, Column("Rows of history.", "rows")]


class Freshness(msgspec.Struct):
    """How old one dataset's data is."""

    direction: Annotated[Text, Column("Which way the data goes.", known=("pull", "push"))]
    dataset: Annotated[Text, Column("The dataset.")]
    as_of: Annotated[
        Instant | None,
        Column(
            "Pull: when the published snapshot was complete. Push: the last answered call. Null: never.",
            "UTC",
        ),
    ]
    age_hours: Annotated[Ratio | None, Column("How long ago that is, at the time of the query.", "hours")]
    rows: Annotated[Integer, Column("Rows published, or rows in the account through a push.", "rows")]
    left_out: Annotated[
        Integer,
        Column(
            "Pull: rows quarantined. Push: rows of the current input that are rejected, quarantined, parked or in"
            " doubt; pending ones are not left out.",
            "rows",
        ),
    ]
    consistency: Annotated[Text | None, Column("How sure the snapshot is (pull only); see sync.snapshots.")]
    last_run_at: Annotated[
        Instant | None,
        Column(
            "When the last run that the warehouse knows of began. A pull that fails changes nothing here, so it "
            "shows only once another one has published: for the present see trackly-sync status, and age_hours.",
            "UTC",
        ),
    ]
    last_run_status: Annotated[Text | None, Column("How that run ended.")]
    last_success_at: Annotated[Instant | None, Column("When a run last succeeded.", "UTC")]


ACTIVITY_MARTS: tuple[Dataset, ...] = (
    mart("list_health", ListHealth, ("list_id",), "One row per list: who is on it, and what it brings."),
    mart("list_growth", ListGrowth, ("day", "list_id"), "One row per list and day on which it changed."),
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
        "engagement_cohorts",
        EngagementCohort,
        ("month",),
        "One row per sign-up month, over all lists: how its contacts engage.",
    ),
    mart(
        "import_outcomes",
        ImportOutcome,
        ("dataset", "day", "outcome", "code", "reason"),
        "One row per dataset, day, outcome and code of pushed history.",
    ),
    mart("freshness", Freshness, ("direction", "dataset"), "One row per dataset that is pulled or pushed."),
)
"""Each reads tables only."""
