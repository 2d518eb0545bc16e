"""Marts over contacts: what people are worth, what they have in common, and how cohorts of sign-ups engage and stay.

What does not belong here: who is on which list (`schemas.marts.lists`), and how the marts are computed (see
`schemas.marts`).
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Dataset, Day, Flag, Instant, Integer, Json, Money, Ratio, Text
from schemas.marts.columns import CURRENCY, SHARE, ListId, ListName, mart

_CONTACTS = "contacts"


class Person(msgspec.Struct):
    """A phone number on all its lists."""

    phone_number: Annotated[Text, Column("Phone number, or its keyed hash.")]
    lists: Annotated[Integer, Column("Lists that the person is on.", "lists")]
    active_lists: Annotated[Integer, Column("Those on which the person receives messages.", "lists")]
    list_ids: Annotated[Json, Column("The ids of all those lists, as an array.")]
    first_signup_at: Annotated[Instant | None, Column("The earliest sign-up.", "UTC")]
    first_touch_at: Annotated[
        Instant | None, Column("The earliest sign-up, or imported send, click or sale.", "UTC")
    ]
    last_touch_at: Annotated[
        Instant | None, Column("The latest message, click or conversion, imported ones included.", "UTC")
    ]
    last_sent_at: Annotated[Instant | None, Column("The latest message.", "UTC")]
    last_clicked_at: Annotated[Instant | None, Column("The latest click.", "UTC")]
    last_revenue_at: Annotated[Instant | None, Column("The latest conversion.", "UTC")]
    sends: Annotated[Integer, Column("Messages sent so far.", "messages")]
    clicks: Annotated[Integer, Column("Clicks so far.", "clicks")]
    conversions: Annotated[Integer, Column("Conversions so far.", "conversions")]
    revenue: Annotated[Money, Column("Revenue so far: the person's value.", CURRENCY)]
    imported_revenue: Annotated[
        Money,
        Column(
            "What of it was imported (before the contacts were read, for sends whose person is known).",
            CURRENCY,
        ),
    ]
    organic_revenue: Annotated[
        Money,
        Column(
            "revenue - imported_revenue. What is there twice counts here (findings perhaps_twice and "
            "still_twice of imports.differences).",
            CURRENCY,
        ),
    ]
    sends_7d: Annotated[
        Integer | None,
        Column(
            "Messages sent in the 7 days before the newest contact was read, as far as pulls saw them: how "
            "send_count has grown within each sign-up, on lists that the person has left since too, less imports "
            "of older sends. Null where a counter is older than that and was first seen, or seen again, within "
            "the time.",
            "messages",
        ),
    ]
    sends_30d: Annotated[Integer | None, Column("The same of 30 days.", "messages")]


class AudienceProfile(msgspec.Struct):
    """Contacts of a list that have one value of one attribute."""

    list_id: ListId
    list_name: ListName
    attribute: Annotated[
        Text,
        Column(
            "Which column of contacts.",
            known=("carrier", "line_type", "timezone", "signup_method", "is_valid"),
        ),
    ]
    value: Annotated[Text | None, Column("Its value (is_valid: true or false); null where it is not known.")]
    contacts: Annotated[Integer, Column("Contacts with that value.", _CONTACTS)]
    share: Annotated[Ratio, Column("contacts / all contacts of the list.", SHARE)]
    active: Annotated[Integer, Column("Those that receive messages.", _CONTACTS)]
    opted_out: Annotated[Integer, Column("Those that do not: contacts - active.", _CONTACTS)]
    invalid: Annotated[Integer, Column("Those whose number failed validation.", _CONTACTS)]
    sends: Annotated[Integer, Column("Messages sent to them so far.", "messages")]
    clicks: Annotated[Integer, Column("Their clicks so far.", "clicks")]
    conversions: Annotated[Integer, Column("Their conversions so far.", "conversions")]
    revenue: Annotated[Money, Column("Their revenue so far.", CURRENCY)]
    click_rate: Annotated[Ratio | None, Column("clicks / sends; null where nothing was sent.")]
    revenue_per_contact: Annotated[Money, Column("revenue / contacts.", CURRENCY)]


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


class Retention(msgspec.Struct):
    """A cohort at one age."""

    list_id: ListId
    list_name: ListName
    month: Annotated[Day, Column("First day of the month in which the contacts joined.")]
    age: Annotated[Integer, Column("Months after that one; 0 is the month itself.", "months")]
    measured_at: Annotated[
        Instant, Column("The end of the month of that age, or when the newest contact was read.", "UTC")
    ]
    contacts: Annotated[
        Integer, Column("Contacts that joined in the month, those who have left included.", _CONTACTS)
    ]
    on_list: Annotated[Integer, Column("Those that were on the list at measured_at.", _CONTACTS)]
    active: Annotated[Integer, Column("Those of on_list that received messages.", _CONTACTS)]
    gone: Annotated[
        Integer,
        Column("Those that had been removed, or signed up again later: contacts - on_list.", _CONTACTS),
    ]
    on_list_share: Annotated[Ratio, Column("on_list / contacts.", SHARE)]
    retention_rate: Annotated[Ratio, Column("active / contacts.", SHARE)]
    complete: Annotated[
        Flag,
        Column(
            "Whether the month began after the first pull. Else those who had left before it are missing."
        ),
    ]


CONTACT_MARTS: tuple[Dataset, ...] = (
    mart(
        "people",
        Person,
        ("phone_number",),
        "One row per phone number: what a person is worth and was sent, over all lists. Sums up to contacts.",
    ),
    mart(
        "audience_profile",
        AudienceProfile,
        ("list_id", "attribute", "value"),
        "One row per list, attribute of contacts and value of it. The rows of one attribute add up to the list.",
    ),
    mart(
        "engagement_cohorts",
        EngagementCohort,
        ("month",),
        "One row per sign-up month, over all lists: how its contacts engage.",
    ),
    mart(
        "retention",
        Retention,
        ("list_id", "month", "age"),
        "One row per list, sign-up month and age in months, as far back as pulls have seen it.",
    ),
)
"""In an order in which each one reads only those before it."""
