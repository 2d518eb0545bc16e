"""Marts over contacts and their history: who is on which list, since when, and what they are worth.

What does not belong here: marts of what was imported, and how the marts are computed (see `schemas.marts`).
"""

from typing import Annotated, Any, get_type_hints

import msgspec

from schemas.columns import Column, Dataset, Day, Flag, Instant, Integer, Json, Money, Ratio, Text
from schemas.marts.columns import CURRENCY, SHARE, ListId, ListName, mart

_CONTACTS = "contacts"


class ListMembership(msgspec.Struct):
    """A stretch of a contact on a list."""

    phone_number: Annotated[Text, Column("Phone number, or its keyed hash.")]
    list_id: ListId
    active: Annotated[Flag, Column("Whether the contact received messages in that time.")]
    signup_date: Annotated[Instant | None, Column("When the contact joined the list, as last read.", "UTC")]
    since: Annotated[Instant, Column("When a pull first saw it so.", "UTC")]
    started_by: Annotated[
        Text,
        Column(
            "opening: so at the first pull; new: seen for the first time; returned: seen again after it was removed, "
            "or with a later sign-up; reactivated, opted_out: active changed.",
            known=("opening", "new", "returned", "reactivated", "opted_out"),
        ),
    ]
    until: Annotated[
        Instant | None, Column("When a pull first saw another state, or the removal; null: still so.", "UTC")
    ]
    removed: Annotated[
        Flag,
        Column(
            "Whether it ended since a complete pull was without the contact, or found a later sign-up "
            "(until says when)."
        ),
    ]
    active_again: Annotated[
        Flag | None,
        Column(
            "Where it ended with a later sign-up and no pull was without the contact: whether the contact received "
            "messages then; else null."
        ),
    ]


class ListChurn(msgspec.Struct):
    """A list over a day: who came and went."""

    day: Annotated[Day, Column("The day on which a pull saw it.")]
    list_id: ListId
    list_name: ListName
    opening: Annotated[Integer, Column("Active contacts at the beginning.", _CONTACTS)]
    new: Annotated[
        Integer, Column("Active contacts that a pull saw for the first time, or again (returned).", _CONTACTS)
    ]
    returned: Annotated[Integer, Column("Of new: those that had been removed before.", _CONTACTS)]
    reactivated: Annotated[Integer, Column("Contacts that became active again.", _CONTACTS)]
    opted_out: Annotated[Integer, Column("Contacts that were active and no longer are.", _CONTACTS)]
    removed: Annotated[
        Integer,
        Column(
            "Active contacts that a complete pull was without for the first time. Whoever signed up again between "
            "two pulls was there in both, and is not counted.",
            _CONTACTS,
        ),
    ]
    closing: Annotated[
        Integer,
        Column("Active contacts at the end: opening + new + reactivated - opted_out - removed.", _CONTACTS),
    ]
    net: Annotated[Integer, Column("closing - opening.", _CONTACTS)]
    churn_rate: Annotated[
        Ratio | None,
        Column(
            "(opted_out + removed) / opening; null where opening is 0. Above 1 where contacts joined and left within "
            "the time."
        ),
    ]
    inactive_opening: Annotated[Integer, Column("Inactive contacts at the beginning.", _CONTACTS)]
    inactive_new: Annotated[Integer, Column("Contacts that were inactive when first seen.", _CONTACTS)]
    inactive_removed: Annotated[Integer, Column("Contacts that were inactive when removed.", _CONTACTS)]
    inactive_closing: Annotated[
        Integer,
        Column(
            "Inactive contacts at the end: inactive_opening + inactive_new + opted_out - reactivated - "
            "inactive_removed.",
            _CONTACTS,
        ),
    ]


_BY_MONTH: dict[str, Any] = {
    "new": Annotated[
        Integer,
        Column("Active at the month's end, and not on the list when it began.", _CONTACTS),
    ],
    "returned": Annotated[
        Integer, Column("Of new: those that had been on the list in an earlier month.", _CONTACTS)
    ],
    "reactivated": Annotated[
        Integer, Column("Inactive when the month began, and active at its end.", _CONTACTS)
    ],
    "opted_out": Annotated[
        Integer, Column("Active when the month began, and inactive at its end.", _CONTACTS)
    ],
    "removed": Annotated[
        Integer,
        Column(
            "Active when the month began, and not on the list at its end. Whoever left and came back within the "
            "month is not counted, nor who joined and left within it: list_churn has the days.",
            _CONTACTS,
        ),
    ],
    "churn_rate": Annotated[
        Ratio | None, Column("(opted_out + removed) / opening; null where opening is 0.")
    ],
    "inactive_new": Annotated[
        Integer, Column("Inactive at the month's end, and not on the list when it began.", _CONTACTS)
    ],
    "inactive_removed": Annotated[
        Integer, Column("Inactive when the month began, and not on the list at its end.", _CONTACTS)
    ],
}
_MONTH = ("month", Annotated[Day, Column("First day of the month in which a pull saw it.")])
ListChurnMonthly = msgspec.defstruct(
    "ListChurnMonthly",
    [
        _MONTH,
        *(
            (name, _BY_MONTH.get(name, of))
            for name, of in [*get_type_hints(ListChurn, include_extras=True).items()][1:]
        ),
    ],
)
"""The same over a month: who was on the list when it began beside who is when it ends."""


class ListGrowthMonthly(msgspec.Struct):
    """A month of a list by sign-up dates."""

    month: Annotated[Day | None, Column("First day of the month; null for contacts without a sign-up date.")]
    list_id: ListId
    list_name: ListName
    signups: Annotated[
        Integer,
        Column("Contacts that joined in the month; who left in it as well is in removed too.", _CONTACTS),
    ]
    removed: Annotated[
        Integer,
        Column(
            "Contacts that a pull first found gone in the month; one that is there again never went.",
            _CONTACTS,
        ),
    ]
    contacts: Annotated[Integer, Column("All signups less all removed up to the month's end.", _CONTACTS)]


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


class ListOverlap(msgspec.Struct):
    """Two lists with people in both."""

    list_id: Annotated[Integer, Column("The list with the lower id; see lists.")]
    list_name: ListName
    other_list_id: Annotated[Integer, Column("The list with the higher id.")]
    other_list_name: Annotated[Text | None, Column("Its name; null where lists were not pulled.")]
    people: Annotated[Integer, Column("Phone numbers on both lists.", "people")]
    active: Annotated[Integer, Column("Those that are active on both.", "people")]
    share_of_list: Annotated[Ratio, Column("people / contacts of the list.", SHARE)]
    share_of_other: Annotated[Ratio, Column("people / contacts of the other list.", SHARE)]


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


CONTACT_MARTS: tuple[Dataset, ...] = (
    mart(
        "list_membership",
        ListMembership,
        ("phone_number", "list_id", "since"),
        "One row per contact, list and stretch of time in which it was active, or was not. A contact that a pull "
        "could not read (quarantined) stays as it was last read.",
    ),
    mart(
        "list_churn",
        ListChurn,
        ("day", "list_id"),
        "One row per list and day on which a pull saw changes, and for the day of the first pull: books that close.",
    ),
    mart(
        "list_churn_monthly",
        ListChurnMonthly,
        ("month", "list_id"),
        "One row per list and month with days in list_churn: who was on the list when the month began, beside who is "
        "when it ends. The month of the first pull begins with that.",
    ),
    mart(
        "list_growth_monthly",
        ListGrowthMonthly,
        ("month", "list_id"),
        "One row per list and month with days in list_growth.",
    ),
    mart(
        "retention",
        Retention,
        ("list_id", "month", "age"),
        "One row per list, sign-up month and age in months, as far back as pulls have seen it.",
    ),
    mart(
        "people",
        Person,
        ("phone_number",),
        "One row per phone number: what a person is worth and was sent, over all lists. Sums up to contacts.",
    ),
    mart(
        "list_overlap",
        ListOverlap,
        ("list_id", "other_list_id"),
        "One row per pair of lists that have people in common.",
    ),
    mart(
        "audience_profile",
        AudienceProfile,
        ("list_id", "attribute", "value"),
        "One row per list, attribute of contacts and value of it. The rows of one attribute add up to the list.",
    ),
)
"""In an order in which each one reads only those before it."""
