"""The tables in which a pull accounts for itself: sync.snapshots, sync.pages, sync.runs.

The structs are also what manifests and run records hold on disk, so that a figure has one name everywhere.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from schemas.columns import ABSENT, Column, Dataset, Flag, Instant, Integer, Json, Text
from schemas.revenue import FROM_CONTACTS


class Consistency(StrEnum):
    """How sure a snapshot is that every row that existed throughout the scan is in it."""

    EXACT = "exact"
    REPAIRED = "repaired"
    FUZZY = "fuzzy"


KEPT = "phones kept, custom fields kept"
"""Of personal data, where no setting says otherwise."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds and how it came about."""

    dataset: Annotated[Text, Column("The dataset that it is of.")]
    snapshot: Annotated[Text, Column("Its id, which sorts by time.")]
    run: Annotated[Text, Column("The run that made it; see sync.runs.")]
    started_at: Annotated[Instant, Column("When its first request was sent.", "UTC")]
    finished_at: Annotated[
        Instant,
        Column(
            "When it was complete on disk; of a replay, and of revenue from contacts' totals, when what it was made"
            " of was: it is as old.",
            "UTC",
        ),
    ]
    rows: Annotated[Integer, Column("Rows published.", "rows")]
    quarantined: Annotated[
        Integer, Column("Rows quarantined; rows + quarantined is what was pulled.", "rows")
    ]
    consistency: Annotated[
        Text,
        Column(
            "exact: nothing changed meanwhile; repaired: it did, and every row that existed throughout is there;"
            " fuzzy: that could not be shown, see evidence.",
            known=tuple(Consistency),
        ),
    ]
    evidence: Annotated[Text, Column("What the claim about consistency rests on.")] = ""
    requests: Annotated[Integer, Column("Replies read.", "requests")] = 0
    extra_requests: Annotated[Integer, Column("Replies read to look again.", "requests")] = 0
    resumed: Annotated[Integer, Column("Replies taken over from an interrupted pull.", "requests")] = 0
    carried: Annotated[
        Integer,
        Column("Rows that a fuzzy snapshot did not see and took over from the one before it.", "rows"),
    ] = 0
    retries: Annotated[Integer, Column("Requests repeated after a failure.", "requests")] = 0
    total: Annotated[Integer | None, Column("How many rows the API claimed at the end.", "rows")] = None
    unknown_fields: Annotated[Text, Column("Fields that went to extra, joined by ', '.")] = ""
    missing_fields: Annotated[
        Text, Column("Optional fields that no row carried, joined by ', '; they are null.")
    ] = ""
    schema_changes: Annotated[
        Text, Column("How the fields differ from those of the snapshot published before, as text.")
    ] = ""
    odd_times: Annotated[
        Text,
        Column(
            "Columns with times before 2000 or after tomorrow, with how many rows; they are kept as they are."
        ),
    ] = ""
    source: Annotated[Text, Column("For revenue: events or contacts; else empty.")] = ""
    source_since: Annotated[
        Instant | None,
        Column(
            "For revenue: since when it comes from that source; null where it never had the other one.", "UTC"
        ),
    ] = None
    events_left_out: Annotated[
        Text,
        Column(
            "For revenue from contacts: why the events that the account serves do not take its place yet."
        ),
    ] = ""
    personal_data: Annotated[
        Text, Column("What was kept of phones and custom fields, by the settings at that time.")
    ] = KEPT

    @property
    def bad_share(self) -> float:
        """Share of rows that were quarantined."""
        return self.quarantined / max(self.rows + self.quarantined, 1)

    @property
    def is_fuzzy(self) -> bool:
        """Whether it could not be shown that all rows are there."""
        return self.consistency == Consistency.FUZZY

    @property
    def unserved(self) -> int:
        """How many rows more the API claimed than were pulled."""
        return unserved_rows(self.total, self.rows - self.carried + self.quarantined)


def unserved_rows(claimed: int | None, pulled: int) -> int:
    """How many rows more an account claims than were pulled."""
    return max((claimed or 0) - pulled, 0)


def source_note(manifest: Manifest) -> str:
    """What somebody should know of where revenue comes from; empty where there is nothing new in it."""
    if manifest.events_left_out:
        return (
            "revenue is made of contacts' totals, since the events that the account serves may be incomplete: "
            f"{manifest.events_left_out}"
        )
    if manifest.source_since is None:
        return ""
    since = f"{manifest.source_since[:16].replace('T', ' ')} UTC"
    if manifest.source == FROM_CONTACTS:
        return f"revenue has been made of contacts' totals since {since}: the account no longer serves revenue events"
    if manifest.source_since == manifest.finished_at:
        return f"revenue has been made of the account's events since {since}; before, of contacts' totals"
    return ""


class PublishedManifest(Manifest, frozen=True, kw_only=True):
    """A manifest as a row of sync.snapshots."""

    published: Annotated[Flag, Column("Whether the tables in main hold this snapshot now.")]
    path: Annotated[
        Text, Column("Parquet file of its published rows, relative to the data directory; for read_parquet.")
    ]
    quarantine_path: Annotated[Text, Column("The same of its quarantined rows.")]


class WrittenBy(msgspec.Struct):
    """Which programs may write here."""

    version: Annotated[Integer, Column("A number; a program that knows only lower ones does not write here.")]
    views: Annotated[
        Text | None,
        Column("A digest of what the views and macros were made of; they are made again where it differs."),
    ] = None
    ledger: Annotated[
        Text | None,
        Column(
            "Digests of the ledger that schema imports was filled from; null where an earlier version did it."
        ),
    ] = None


class PageRow(msgspec.Struct):
    """One reply of the API."""

    dataset: Annotated[Text, Column("The dataset that was read.")]
    snapshot: Annotated[Text, Column("The snapshot that it went into.")]
    page: Annotated[Integer, Column("Number of the reply in the order of arrival; rows name it.")]
    request: Annotated[Text, Column("What was asked.")]
    sent_at: Annotated[Instant, Column("When the request was sent.", "UTC")]
    received_at: Annotated[Instant, Column("When the reply was there.", "UTC")]
    total: Annotated[Integer | None, Column("How many rows the API claimed in it.", "rows")]
    rows: Annotated[Integer, Column("Rows in the reply.", "rows")]
    size: Annotated[Integer, Column("Size of the reply.", "bytes")]
    digest: Annotated[Text, Column("Digest of the reply (XXH3, 128 bits): equal replies have equal ones.")]


class RunRecord(msgspec.Struct, kw_only=True):
    """One activity of a run."""

    run: Annotated[Text, Column("The run; one run has several activities.")]
    activity: Annotated[Text, Column("What was done, such as pull contacts, publish, push sends.")]
    started_at: Annotated[Instant, Column("When it began.", "UTC")]
    finished_at: Annotated[
        Instant | None, Column("When it ended; of one that was killed, when it was last seen at work.", "UTC")
    ] = None
    asked: Annotated[
        Text | None, Column("What was asked for, where this is a part of it, as pull all; else null.")
    ] = None
    status: Annotated[Text, Column("How it ended.", known=("succeeded", "failed", "stopped", "killed"))] = (
        "stopped"
    )
    rows: Annotated[
        Integer | None,
        Column("Rows that it moved itself: pulled, published, taken in, sent, settled or compared.", "rows"),
    ] = None
    sent: Annotated[Integer | None, Column("Of a push: rows that it sent, each counted once.", "rows")] = None
    accepted: Annotated[
        Integer | None,
        Column(
            "Rows that came into the account by a push, or that it found there, also where an earlier one sent them;"
            " of a push of one month only its rows, and details name the others. Of a decision by hand: rows that"
            " are in the account by it.",
            "rows",
        ),
    ] = None
    left_out: Annotated[
        Integer | None,
        Column(
            "Of a push: rows that it held back (quarantined, parked), and of those sent the ones rejected"
            " or without an answer.",
            "rows",
        ),
    ] = None
    pending: Annotated[
        Integer | None, Column("Of a push: rows that it was to send, and that are still to be sent.", "rows")
    ] = None
    month: Annotated[
        Text | None, Column("Of a push of one month: the month, as 2026-10; of another period its two ends.")
    ] = None
    error: Annotated[Text | None, Column("What went wrong and what to do about it.")] = None
    details: Annotated[Json, Column("More figures of the activity, as an object.")] = ABSENT


SNAPSHOTS = Dataset(
    name="snapshots",
    row=PublishedManifest,
    key=("dataset", "snapshot"),
    doc="One row per snapshot on disk.",
    source="",
)
PAGES = Dataset(
    name="pages",
    row=PageRow,
    key=("dataset", "snapshot", "page"),
    doc="One row per reply that a snapshot was read from; contacts.page and so on refer to it.",
    source="",
)
WRITTEN_BY = Dataset(
    name="version",
    row=WrittenBy,
    key=(),
    doc="One row: which version of the tables this warehouse has, and what it was made from.",
    source="",
)
RUNS = Dataset(
    name="runs",
    row=RunRecord,
    key=("run", "activity"),
    doc="One row per activity of every run, failed ones included.",
    source="",
)
