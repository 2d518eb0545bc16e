"""The tables in which a pull records its work: sync.snapshots, sync.pages, sync.runs.

Manifests and run records on disk have the same structs, so that a figure has one name everywhere.
"""

from enum import StrEnum
from typing import Annotated, Any

import msgspec

from schemas.columns import ABSENT, Column, Dataset, Flag, Instant, Integer, Json, Text
from schemas.revenue import FROM_CONTACTS


class Consistency(StrEnum):
    """How far a snapshot proves that it has every row that existed throughout the scan."""

    EXACT = "exact"
    REPAIRED = "repaired"
    FUZZY = "fuzzy"


KEPT = "phones kept, custom fields kept"
"""The text for personal data with default settings."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a snapshot and how it was made."""

    dataset: Annotated[Text, Column("The dataset of the snapshot.")]
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
    quarantined: Annotated[Integer, Column("Rows quarantined; rows + quarantined were pulled.", "rows")]
    consistency: Annotated[
        Text,
        Column(
            "exact: nothing changed meanwhile; repaired: it did, and every row that existed throughout is there;"
            " fuzzy: that could not be shown, see evidence.",
            known=tuple(Consistency),
        ),
    ]
    evidence: Annotated[Text, Column("The evidence for the consistency.")] = ""
    requests: Annotated[Integer, Column("Replies read.", "requests")] = 0
    extra_requests: Annotated[Integer, Column("Replies read beyond the planned ones.", "requests")] = 0
    resumed: Annotated[Integer, Column("Replies taken over from an interrupted pull.", "requests")] = 0
    carried: Annotated[
        Integer,
        Column("Rows that a fuzzy snapshot did not see and took over from the snapshot before it.", "rows"),
    ] = 0
    retries: Annotated[Integer, Column("Requests repeated after a failure.", "requests")] = 0
    total: Annotated[Integer | None, Column("Total number of rows that the API gave at the end.", "rows")] = (
        None
    )
    unknown_fields: Annotated[Text, Column("Fields that went to extra, joined by ', '.")] = ""
    missing_fields: Annotated[
        Text, Column("Optional fields that no row carried, joined by ', '; they are null.")
    ] = ""
    schema_changes: Annotated[
        Text, Column("Differences of the fields from the snapshot published before, as text.")
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
        Text, Column("Whether phones and custom fields were kept, by the settings at that time.")
    ] = KEPT

    @property
    def bad_share(self) -> float:
        """Share of rows that were quarantined."""
        return self.quarantined / max(self.rows + self.quarantined, 1)

    @property
    def is_fuzzy(self) -> bool:
        """Whether it could not be proved that all rows are there."""
        return self.consistency == Consistency.FUZZY

    @property
    def unserved(self) -> int:
        """How many more rows the API's total has than were pulled."""
        return unserved_rows(self.total, self.rows - self.carried + self.quarantined)


def unserved_rows(claimed: int | None, pulled: int) -> int:
    """Return how many more rows an account's total has than were pulled."""
    return max((claimed or 0) - pulled, 0)


def source_note(manifest: Manifest) -> str:
    """Return a note on a change of revenue's source; empty without a change."""
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
    quarantine_path: Annotated[Text, Column("Parquet file of its quarantined rows, in the same form.")]


class WrittenBy(msgspec.Struct):
    """The version of the tables, which decides which programs may write here."""

    version: Annotated[
        Integer, Column("The version; a program that knows only lower versions does not write here.")
    ]
    views: Annotated[
        Text | None,
        Column("A digest of the sources of the views and macros; they are made again if it differs."),
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
    request: Annotated[Text, Column("The request.")]
    sent_at: Annotated[Instant, Column("When the request was sent.", "UTC")]
    received_at: Annotated[Instant, Column("When the reply had arrived.", "UTC")]
    total: Annotated[Integer | None, Column("Total number of rows that the API gave in the reply.", "rows")]
    rows: Annotated[Integer, Column("Rows in the reply.", "rows")]
    size: Annotated[Integer, Column("Size of the reply.", "bytes")]
    digest: Annotated[Text, Column("Digest of the reply (XXH3, 128 bits): equal replies have equal ones.")]


class RunRecord(msgspec.Struct, kw_only=True):
    """One activity of a run."""

    run: Annotated[Text, Column("The run; one run has several activities.")]
    activity: Annotated[Text, Column("The activity, such as pull contacts, publish, push sends.")]
    started_at: Annotated[Instant, Column("When it began.", "UTC")]
    finished_at: Annotated[
        Instant | None, Column("When it ended; if it was killed, its last sign of life.", "UTC")
    ] = None
    asked: Annotated[
        Text | None, Column("The command that the activity is a part of, such as pull all; else null.")
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
        Integer | None, Column("Of a push: rows that it should have sent and that are still pending.", "rows")
    ] = None
    month: Annotated[
        Text | None,
        Column("Of a push of one month: the month, such as 2026-10; of another period, its two ends."),
    ] = None
    error: Annotated[Text | None, Column("The error and its remedy.")] = None
    details: Annotated[Json, Column("More figures of the activity, as an object.")] = ABSENT

    @property
    def figures(self) -> dict[str, Any]:
        """What `details` hold; empty where there are none."""
        return msgspec.json.decode(self.details) or {}


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
    doc="One row: the version of this warehouse's tables, and its sources.",
    source="",
)
RUNS = Dataset(
    name="runs",
    row=RunRecord,
    key=("run", "activity"),
    doc="One row per activity of every run, failed ones included.",
    source="",
)
