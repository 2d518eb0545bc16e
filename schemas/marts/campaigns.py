"""The marts of campaigns, each column's type and meaning; see `schemas.marts`.

How a mart is computed stands in `pipelines/warehouse/marts/<name>.sql`, whose columns are these. No figure of
performance by creative, variant, audience or schedule is in any of them, since the API names none of these for a
message; `creative_matches` has what imported messages of the same text brought, and says so in its columns.
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Day, Flag, Instant, Integer, Money, Ratio, Text
from schemas.marts.columns import CURRENCY, SHARE, mart

SEVERITIES = ("error", "warning", "notice")
ENCODINGS = ("GSM-7", "UCS-2")
SUBJECTS = ("creatives", "schedules")
LINTED = (*SUBJECTS, "datasets")
KINDS = (
    "offer_missing", "offer_paused", "offer_archived", "offer_inactive", "link_without_offer",
    "audience_missing", "audience_archived", "audience_inactive", "no_audience",
    "list_missing", "list_paused", "list_suspended", "list_deleted", "list_inactive",
    "overlap_same_hour", "overlap_within_skip", "quiet_hours", "quiet_hours_unknown", "more_segments",
    "rows_quarantined", "not_pulled", "not_renewed",
)  # fmt: skip

_Subject = Annotated[Text, Column("creatives or schedules.", known=SUBJECTS)]
_SubjectId = Annotated[Text, Column("Its id; of creatives a number, as text.")]
_AudienceId = Annotated[Text, Column("The audience.", refers_to="main.audiences.id")]
_AudienceName = Annotated[Text | None, Column("The audience's name.")]
_Position = Annotated[
    Integer | None, Column("The variant's place in the schedule, from 1; null for creatives.")
]
_Variant = Annotated[Text | None, Column("The variant's name.")]


class LintFinding(msgspec.Struct):
    """Something to see to before the next send."""

    severity: Annotated[
        Text,
        Column("error: sends go wrong. warning: probably. notice: not known.", known=SEVERITIES),
    ]
    kind: Annotated[Text, Column("What was found.", known=KINDS)]
    subject: Annotated[
        Text,
        Column(
            "creatives or schedules; datasets where it is about rows that were not checked.", known=LINTED
        ),
    ]
    subject_id: Annotated[Text, Column("Its id; of creatives a number, as text; of datasets their name.")]
    subject_name: Annotated[Text | None, Column("Its name.")]
    about: Annotated[Text, Column("The offer, audience, list, other schedule or variant; '' where none.")]
    about_name: Annotated[Text | None, Column("Its name, where it has one.")]
    people: Annotated[Integer | None, Column("How many it concerns, where that can be counted.", "people")]
    detail: Annotated[Text, Column("What was found.")]
    remedy: Annotated[Text, Column("What to do about it.")]


class ScheduleReach(msgspec.Struct):
    """What a schedule that is on reaches of one of its audiences: the people on its source_lists."""

    schedule_id: Annotated[Text, Column("The schedule.", refers_to="main.schedules.id")]
    schedule_name: Annotated[Text | None, Column("The schedule's name.")]
    audience_id: Annotated[
        Text, Column("The audience; as the schedule names it where there is none with that id.")
    ]
    audience_name: _AudienceName
    audience_status: Annotated[Text | None, Column("The audience's state.")]
    lists: Annotated[
        Text | None,
        Column(
            "Lists of the schedule and of the audience, joined by ','; none where they share none; null: all."
        ),
    ]
    narrowed: Annotated[Flag, Column("Whether source_lists of the schedule leave out lists of the audience.")]
    cached_size: Annotated[
        Integer | None, Column("The account's size of the audience on all its lists.", "contacts")
    ]
    cached_size_updated_at: Annotated[Instant | None, Column("When the account counted.", "UTC")]
    people: Annotated[
        Integer | None,
        Column("As people of audience_counts, on these lists; null where not counted.", "people"),
    ]
    people_wide: Annotated[
        Integer | None, Column("As people_wide of audience_counts, on these lists.", "people")
    ]
    contacts_as_of: Annotated[Instant | None, Column("When the contacts were read that were counted.", "UTC")]
    in_pairs: Annotated[
        Flag | None, Column("Whether sync.audience_pairs has its pairs; null where not counted.")
    ]
    not_counted: Annotated[Text | None, Column("Why these were not counted; null where they were.")]


class PlannedSend(msgspec.Struct):
    """A run of a schedule that is on."""

    schedule_id: Annotated[Text, Column("The schedule.", refers_to="main.schedules.id")]
    schedule_name: Annotated[Text | None, Column("The schedule's name.")]
    day: Annotated[
        Day | None,
        Column(
            "The day, in the zone that send_time is in; null where the schedule does not say on which days."
        ),
    ]
    send_time: Annotated[Text | None, Column("Time of day, HH:MM; see schedules.")]
    use_local_time: Annotated[Flag | None, Column("Whether that is each contact's own time.")]
    audiences: Annotated[Integer, Column("Audiences that it sends to.", "audiences")]
    messages: Annotated[
        Integer | None,
        Column(
            "cached_size of its audiences, added up; of one that its source_lists narrow, people_wide of "
            "schedule_reach where we can count. The most that it can be, since people in two of them, and "
            "those sent to within skip_within_hours, get one or none. Null where one of them is not known, never 0.",
            "messages",
        ),
    ]
    sized_at: Annotated[
        Instant | None,
        Column(
            "When the oldest of these was counted, by the account or by us; null where one is null.", "UTC"
        ),
    ]
    upper_bound: Annotated[
        Text | None,
        Column(
            "Why messages is perhaps too many: source_lists narrow an audience whose cached_size alone is known. "
            "Null where that is not so."
        ),
    ]
    segments_per_message: Annotated[
        Ratio | None,
        Column(
            "Real segments of its variants by their shares; null for MMS, and for automated schedules, which "
            "choose a creative per contact.",
            "segments",
        ),
    ]
    segments: Annotated[Ratio | None, Column("messages * segments_per_message.", "segments")]
    cost: Annotated[Money | None, Column("segments * TRACKLY_PRICE_PER_SEGMENT.", "currency of that setting")]
    unknown: Annotated[
        Text | None, Column("What is not known, and so makes figures null; null where nothing.")
    ]


class MessageSegments(msgspec.Struct):
    """A text that is sent: a creative's, or a variant's."""

    subject: _Subject
    subject_id: _SubjectId
    position: _Position
    name: Annotated[Text | None, Column("The creative's or the schedule's name.")]
    variant_name: _Variant
    status: Annotated[Text | None, Column("The creative's or the schedule's state.")]
    encoding: Annotated[
        Text | None,
        Column("By its characters: all in GSM-7 or its extension, or else UCS-2.", known=ENCODINGS),
    ]
    units: Annotated[
        Integer | None,
        Column("Its length in that encoding, with 23 for each link and 34 of compliance text.", "characters"),
    ]
    segments: Annotated[Integer | None, Column("Segments that it is sent and billed as.", "segments")]
    estimate: Annotated[
        Integer | None,
        Column(
            "The account's segment_count; of variants, which have none, by the vendor's rule.", "segments"
        ),
    ]
    extra_segments: Annotated[
        Integer | None, Column("segments - estimate where that is above 0, else 0.", "segments")
    ]
    outside_gsm7: Annotated[Text | None, Column("Its characters that are not in GSM-7, each once.")]


class CampaignOffer(msgspec.Struct):
    """A link of a creative or of a variant."""

    subject: _Subject
    subject_id: _SubjectId
    position: _Position
    name: Annotated[Text | None, Column("The creative's or the schedule's name.")]
    variant_name: _Variant
    percent_audience: Annotated[
        Ratio | None, Column("Share of the audience that gets the variant.", "percent")
    ]
    status: Annotated[Text | None, Column("The creative's or the schedule's state.")]
    link: Annotated[Integer, Column("The link's place, from 1.")]
    key: Annotated[Text | None, Column("The placeholder that it fills, such as link1.")]
    offer_ref: Annotated[Text | None, Column("The offer as sent: an id, a slug, or one that is not there.")]
    offer_id: Annotated[
        Text | None,
        Column("The offer with that id, or else slug; null where there is none.", refers_to="main.offers.id"),
    ]
    matched_by: Annotated[Text | None, Column("id or slug; null where no offer was found.")]
    offer_name: Annotated[Text | None, Column("The offer's name.")]
    offer_status: Annotated[Text | None, Column("The offer's state.")]


class AudienceCountRow(msgspec.Struct):
    """An audience: the account's size beside our own count."""

    audience_id: _AudienceId
    audience_name: _AudienceName
    status: Annotated[Text | None, Column("The audience's state; archived ones are not counted.")]
    cached_size: Annotated[Integer | None, Column("The account's size; null is unknown, not 0.", "contacts")]
    cached_size_updated_at: Annotated[Instant | None, Column("When the account counted.", "UTC")]
    people: Annotated[
        Integer | None,
        Column(
            "Phone numbers with an active contact that meets the filter, on its lists. Contacts without a value meet "
            "no comparison. Null where the filter cannot be translated.",
            "people",
        ),
    ]
    people_wide: Annotated[
        Integer | None,
        Column(
            "The same where contacts without a value meet before, not_within, ne and not_in, and letters' case "
            "does not count in contains: the vendor documents neither.",
            "people",
        ),
    ]
    people_with_inactive: Annotated[
        Integer | None,
        Column("As people, inactive contacts too: whether the account counts them is open.", "people"),
    ]
    contacts_as_of: Annotated[Instant | None, Column("When the contacts were read that were counted.", "UTC")]
    difference: Annotated[
        Integer | None,
        Column("How far cached_size is outside people to people_wide; 0 inside, null unknown.", "contacts"),
    ]
    filter_sql: Annotated[
        Text | None, Column("The filter as a condition on main.contacts, as it was counted; for WHERE.")
    ]
    filter_sql_wide: Annotated[Text | None, Column("The condition of people_wide.")]
    not_counted: Annotated[Text | None, Column("Why it was not counted; null where it was.")]


class AudienceOverlap(msgspec.Struct):
    """Two audiences with people in both."""

    audience_id: _AudienceId
    audience_name: _AudienceName
    other_audience_id: Annotated[Text, Column("The other one; its id is the greater.")]
    other_audience_name: Annotated[Text | None, Column("The other one's name.")]
    people: Annotated[Integer, Column("Phone numbers in both, by our own count.", "people")]
    share_of_audience: Annotated[Ratio | None, Column("people / those of the audience.", SHARE)]
    share_of_other: Annotated[Ratio | None, Column("people / those of the other.", SHARE)]
    schedules: Annotated[Integer, Column("Schedules that are on and send to either.", "schedules")]


class AudienceSize(msgspec.Struct):
    """A size that the account had counted of an audience."""

    audience_id: _AudienceId
    audience_name: Annotated[Text | None, Column("Its name at that time.")]
    counted_at: Annotated[
        Instant | None, Column("When the account counted; null where it does not say.", "UTC")
    ]
    seen_at: Annotated[Instant, Column("When a pull first saw that size.", "UTC")]
    size: Annotated[
        Integer | None,
        Column("cached_size; null from when the filter was changed until the next count.", "contacts"),
    ]
    change: Annotated[Integer | None, Column("size less the last one that was known.", "contacts")]


class CreativeMatch(msgspec.Struct):
    """What imported messages brought whose text is a creative's."""

    creative_id: Annotated[Integer, Column("The creative.", refers_to="main.creatives.id")]
    creative_name: Annotated[Text | None, Column("The creative's name.")]
    status: Annotated[Text | None, Column("The creative's state.")]
    same_text: Annotated[
        Integer, Column("Creatives with this text, links masked; above 1 nothing is matched.", "creatives")
    ]
    sends_matched_by_text: Annotated[
        Integer | None,
        Column(
            "Imported sends whose text is this one with addresses in place of the links. Null where none is, or the "
            "texts of sends are not kept (TRACKLY_KEEP_MESSAGES). Live messages are in no read.",
            "messages",
        ),
    ]
    clicks_matched_by_text: Annotated[Integer | None, Column("Imported clicks on these.", "clicks")]
    revenue_matched_by_text: Annotated[Money | None, Column("Imported revenue of these.", CURRENCY)]


CAMPAIGN_MARTS = (
    mart(
        "campaign_offers",
        CampaignOffer,
        ("subject", "subject_id", "position", "link"),
        "One row per link of a creative, and per link of a schedule's variant, with its offer.",
    ),
    mart(
        "message_segments",
        MessageSegments,
        ("subject", "subject_id", "position"),
        "One row per creative and per variant of a schedule: how many segments its text really takes.",
    ),
    mart(
        "schedule_reach",
        ScheduleReach,
        ("schedule_id", "audience_id"),
        "One row per schedule that is on and audience of it: whom it reaches, by the lists of both.",
    ),
    mart(
        "audience_counts",
        AudienceCountRow,
        ("audience_id",),
        "One row per audience: cached_size beside our own count by its filter, each with its date.",
    ),
    mart(
        "audience_overlap",
        AudienceOverlap,
        ("audience_id", "other_audience_id"),
        "One row per pair of audiences with people in both, of 512 audiences at most; see sync.audience_pairs.",
    ),
    mart(
        "audience_sizes",
        AudienceSize,
        ("audience_id", "seen_at"),
        "One row per size that pulls saw of an audience; the account keeps no history.",
    ),
    mart(
        "planned_sends",
        PlannedSend,
        ("schedule_id", "day"),
        "One row per schedule that is on and day of the next 92 on which it runs.",
    ),
    mart(
        "creative_matches",
        CreativeMatch,
        ("creative_id",),
        "One row per creative: imported messages of the same text. Not its performance, which the API does not have.",
    ),
    mart(
        "campaign_lint",
        LintFinding,
        ("kind", "subject", "subject_id", "about"),
        "One row per finding about an active creative or a schedule that is on, or about what could not be "
        "checked; `trackly-sync lint` shows them.",
    ),
)
"""In an order in which each one reads only those before it."""
