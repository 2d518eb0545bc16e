"""The schedules dataset: planned sends, and their variants as separate rows.

send_time is in the account's time zone, which the API does not give, so the instant of a run is not a column.
"""

from typing import Annotated

import msgspec

from schemas.columns import (
    ABSENT,
    NOT_EMPTY,
    Column,
    Dataset,
    Flag,
    Instant,
    Integer,
    Integers,
    Json,
    Money,
    Ratio,
    Text,
    Texts,
)

STATUSES = ("draft", "off", "on", "complete", "archive")
SEND_TYPES = ("blast", "automated")


class Schedule(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A row of GET /schedules."""

    id: Annotated[Text, Column("The schedule's id, 24 hexadecimal characters; the key.", checks=(NOT_EMPTY,))]
    name: Annotated[Text | None, Column("The schedule's name.")] = None
    status: Annotated[
        Text | None, Column("State; one that is on sends. Those in archive are kept.", known=STATUSES)
    ] = None
    send_type: Annotated[
        Text | None,
        Column("blast sends its own variants; automated picks a creative per contact.", known=SEND_TYPES),
    ] = None
    source_lists: Annotated[
        Integers | None, Column("Lists (lists.id) that it sends to; an empty list as sent.")
    ] = None
    audiences: Annotated[Texts | None, Column("Audiences (audiences.id) that it sends to.")] = None
    is_repeating: Annotated[Flag | None, Column("Whether it runs on days_of_week, or once on send_date.")] = (
        None
    )
    send_time: Annotated[
        Text | None,
        Column("Time of day, HH:MM, in the account's time zone, which no read gives; see use_local_time."),
    ] = None
    send_date: Annotated[
        Instant | None, Column("Day of the one run, as its midnight.", unit="UTC", planned=True)
    ] = None
    start_date: Annotated[
        Instant | None,
        Column("First day of a repeating schedule, as its midnight.", unit="UTC", planned=True),
    ] = None
    end_date: Annotated[
        Instant | None, Column("Last day of a repeating schedule, as its midnight.", unit="UTC", planned=True)
    ] = None
    days_of_week: Annotated[
        Json, Column("Days on which it repeats, as sent: an object, monday to sunday, of true or false.")
    ] = ABSENT
    skip_within_hours: Annotated[
        Integer | None,
        Column("Contacts that were sent to within so many hours are left out; 0 for none.", "hours"),
    ] = None
    use_local_time: Annotated[
        Flag | None, Column("Whether send_time is in each contact's own time zone.")
    ] = None
    filter_bots: Annotated[Flag | None, Column("Whether clicks by bots are left out.")] = None
    is_mms: Annotated[Flag | None, Column("Whether it sends MMS.")] = None
    is_cto: Annotated[Flag | None, Column("Not documented.")] = None
    automated_percent: Annotated[
        Ratio | None, Column("Share of the audience that gets an automated creative.", "percent")
    ] = None
    ir_revenue: Annotated[Money | None, Column("Not documented.")] = None
    blasts: Annotated[
        Json, Column("Its variants as sent; schedule_blasts has them as rows.", objects=True)
    ] = ABSENT
    created_at: Annotated[Instant | None, Column("When the schedule was made.", unit="UTC")] = None
    updated_at: Annotated[Instant | None, Column("When the schedule was last changed.", unit="UTC")] = None


class ScheduleBlast(msgspec.Struct):
    """A variant of a schedule."""

    schedule_id: Annotated[Text, Column("The schedule.", refers_to="main.schedules.id")]
    position: Annotated[Integer, Column("The variant's place in blasts, from 1; it has no id.")]
    variant_name: Annotated[Text | None, Column("The variant's name.")]
    percent_audience: Annotated[Ratio | None, Column("Share of the audience that gets it.", "percent")]
    message: Annotated[
        Text | None, Column("Its text, with placeholders such as link1 in double braces where links go.")
    ]
    mms_image_url: Annotated[Text | None, Column("Image of an MMS.")]
    offer_links: Annotated[Json, Column("Its links as sent, one object per placeholder.")]
    synced_at: Annotated[Instant, Column("When the reply that held the schedule was received.", unit="UTC")]
    snapshot: Annotated[Text, Column("The snapshot of schedules; see sync.snapshots.")]


SCHEDULES = Dataset(
    name="schedules",
    row=Schedule,
    key=("id",),
    doc="One row per schedule, those in archive included.",
    source="/api-reference/v2/schedules/list-schedules",
)
SCHEDULE_BLASTS = Dataset(
    name="schedule_blasts",
    row=ScheduleBlast,
    key=("schedule_id", "position"),
    doc="One row per variant of a schedule, out of schedules.blasts. Who got which one is not in the API.",
    source="/api-reference/v2/schedules/list-schedules",
)
