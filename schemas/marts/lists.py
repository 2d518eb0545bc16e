"""Marts over lists: who is on which list, since when, who joined and left, and what a list brings.

What does not belong here: marts of people and cohorts (`schemas.marts.contacts`), and how the marts are computed
(see `schemas.marts`).
"""

from typing import Annotated, Any, get_type_hints

import msgspec

from schemas.columns import Column, Dataset, Day, Flag, Instant, Integer, Money, Ratio, Text
from schemas.marts.columns import CURRENCY, SHARE, ListId, ListName, mart

_CONTACTS = "contacts"


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
            (name, _BY_MONTH.get(name, annotation))
            for name, annotation in [*get_type_hints(ListChurn, include_extras=True).items()][1:]
        ),
    ],
)
"""The same over a month: who was on the list when it began beside who is when it ends."""


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


LIST_MARTS: tuple[Dataset, ...] = (
    mart("list_health", ListHealth, ("list_id",), "One row per list: who is on it, and what it brings."),
    mart("list_growth", ListGrowth, ("day", "list_id"), "One row per list and day on which it changed."),
    mart(
        "list_growth_monthly",
        ListGrowthMonthly,
        ("month", "list_id"),
        "One row per list and month with days in list_growth.",
    ),
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
        "list_overlap",
        ListOverlap,
        ("list_id", "other_list_id"),
        "One row per pair of lists that have people in common.",
    ),
)
"""In an order in which each one reads only those before it."""
