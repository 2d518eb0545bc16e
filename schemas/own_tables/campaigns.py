"""Tables of campaigns that a publish fills, in the sync schema: counts of audiences, and settings for the marts.

What does not belong here: the account's own data (`audiences`, `schedules`), and the marts that combine both
(`schemas.marts.campaigns`).
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Dataset, Flag, Instant, Integer, Ratio, Text

BASES = ("filter", "filter, read widely", "source lists")

_AudienceId = Annotated[Text, Column("The audience.", refers_to="main.audiences.id")]


_LISTS = (
    "'' of the audience itself, else the lists to which source_lists of a schedule narrow it: 1,2 or none."
)
_Lists = Annotated[Text | None, Column(_LISTS)]


class CampaignSettings(msgspec.Struct):
    """The settings of the last publish that marts of campaigns use."""

    price_per_segment: Annotated[Ratio | None, Column("TRACKLY_PRICE_PER_SEGMENT; null where it is not set.")]
    account_timezone: Annotated[Text | None, Column("TRACKLY_ACCOUNT_TIMEZONE; null where it is not set.")]


class AudienceCount(msgspec.Struct):
    """An audience, or what a schedule reaches of it, counted over contacts."""

    audience_id: _AudienceId
    filter_sql: Annotated[
        Text | None,
        Column("Its filter and its lists as a condition on contacts; null where they cannot be translated."),
    ]
    filter_sql_wide: Annotated[
        Text | None,
        Column("The same where what the vendor leaves open lets contacts in; equal where nothing is open."),
    ]
    reason: Annotated[Text | None, Column("Why it cannot be counted; null where it can.")]
    people: Annotated[Integer | None, Column("Phone numbers with an active contact in it.", "people")]
    people_wide: Annotated[Integer | None, Column("The same by filter_sql_wide.", "people")]
    people_with_inactive: Annotated[Integer | None, Column("Phone numbers with any contact in it.", "people")]
    in_pairs: Annotated[Flag | None, Column("Whether audience_pairs has its pairs; null where not counted.")]
    contacts_as_of: Annotated[
        Instant | None, Column("When the contacts were read; what within counts back from.", "UTC")
    ]
    lists: _Lists = ""


class AudiencePair(msgspec.Struct):
    """Two audiences with people in both."""

    audience_id: _AudienceId
    other_audience_id: Annotated[Text, Column("The other one; its id is the greater, or its lists are.")]
    people: Annotated[Integer, Column("Phone numbers with an active contact in each of them.", "people")]
    lists: _Lists = ""
    other_lists: Annotated[Text | None, Column("The same of the other one.")] = ""


class AudienceTimezone(msgspec.Struct):
    """People of an audience in one time zone."""

    audience_id: _AudienceId
    timezone: Annotated[Text | None, Column("IANA time zone; null where it is not known.")]
    people: Annotated[Integer, Column("Phone numbers with an active contact in the audience.", "people")]
    lists: _Lists = ""


class AudienceOptedOut(msgspec.Struct):
    """A contact in an audience whose opt-out an event reported."""

    audience_id: _AudienceId
    phone_number: Annotated[Text, Column("The contact's phone number, or its hash; see contacts.")]
    list_id: Annotated[Integer, Column("The contact's list.")]
    basis: Annotated[
        Text,
        Column(
            "What says that the contact is in it. filter, read widely: only where the vendor leaves open who is. "
            "source lists: the filter cannot be translated.",
            known=BASES,
        ),
    ]


CAMPAIGN_SETTINGS = Dataset(
    name="campaign_settings",
    row=CampaignSettings,
    key=(),
    doc="One row: settings of the last publish that marts of campaigns use.",
    source="",
)
AUDIENCE_COUNTS = Dataset(
    name="audience_counts",
    row=AudienceCount,
    key=("audience_id", "lists"),
    doc="One row per audience that is not archived, and per narrowing of it by schedules that are on; counted "
    "whenever contacts, audiences or schedules are published.",
    source="",
)
AUDIENCE_PAIRS = Dataset(
    name="audience_pairs",
    row=AudiencePair,
    key=("audience_id", "lists", "other_audience_id", "other_lists"),
    doc="One row per pair with people in both, of the first 512 at most; those of running schedules first.",
    source="",
)
AUDIENCE_TIMEZONES = Dataset(
    name="audience_timezones",
    row=AudienceTimezone,
    key=("audience_id", "lists", "timezone"),
    doc="One row per counted audience and time zone of its people.",
    source="",
)
AUDIENCE_OPTED_OUT = Dataset(
    name="audience_opted_out",
    row=AudienceOptedOut,
    key=("audience_id", "phone_number", "list_id"),
    doc="One row per active contact in an audience of a running schedule whose opt-out an event reported.",
    source="",
)
COUNTED = (CAMPAIGN_SETTINGS, AUDIENCE_COUNTS, AUDIENCE_PAIRS, AUDIENCE_TIMEZONES, AUDIENCE_OPTED_OUT)
