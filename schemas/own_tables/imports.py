"""The tables in which a push records its work: imports.records and imports.chunks."""

from typing import Annotated

import msgspec

from schemas.columns import ABSENT, Column, Dataset, Flag, Instant, Integer, Json, Money, Text
from schemas.values.outcomes import Outcome

OUTCOMES = tuple(outcome.value for outcome in Outcome)
CHUNK_STATES = ("intended", "answered", "lost", "refused")


class ImportRecord(msgspec.Struct):
    """One row of history and its outcome."""

    dataset: Annotated[Text, Column("sends, clicks or revenue.")]
    identity: Annotated[
        Text | None,
        Column(
            "The key of the row in every push; null if the row is too broken to have one.",
            various=True,
        ),
    ]
    message_id: Annotated[
        Text | None, Column("Id of the send; for a click or revenue, of its send.", various=True)
    ]
    outcome: Annotated[Text, Column("The outcome of the row.", known=OUTCOMES)]
    code: Annotated[
        Text | None,
        Column(
            "The API's code, or ours, if an outcome needs one: such as conflict, or sent_before for a "
            "pending row that a lost ledger had as sent."
        ),
    ]
    reason: Annotated[
        Text | None,
        Column("The reason: one text per cause; for a conflict, with the places of the other rows."),
    ]
    chunk: Annotated[
        Integer | None,
        Column(
            "The last call with the row; null if the ledger that had the call was lost.",
            refers_to="imports.chunks.chunk",
        ),
    ]
    attempt: Annotated[Integer, Column("Number of calls with the row.", "calls")]
    at: Annotated[
        Instant | None, Column("When the last call was answered, or its intent was recorded.", "UTC")
    ]
    in_input: Annotated[
        Flag, Column("Whether the row is in the current history input; status counts only those.")
    ]
    file: Annotated[Text | None, Column("The row's file (rows of the current input).")]
    row: Annotated[Integer | None, Column("The row's number in the file, from 1, without the header.")]
    line: Annotated[
        Integer | None, Column("The line in which the row begins, from 1, with the header (text files).")
    ] = None
    differs: Annotated[
        Flag | None,
        Column(
            "Whether it is in the account, and its file says something else by now than what was sent. What it says "
            "and earned is here as it was sent; only its place is that of the file."
        ),
    ] = None
    differs_acknowledged: Annotated[
        Flag | None, Column("Whether the difference was acknowledged: `trackly-sync resolve --differs`.")
    ] = None
    happened_at: Annotated[
        Instant | None, Column("When it was sent, clicked or earned, by the row.", "UTC")
    ] = None
    list_id: Annotated[Integer | None, Column("The list's id, if the row gives it (sends only).")] = None
    list_number: Annotated[Text | None, Column("The list's number, if the row gives it (sends only).")] = None
    offer_id: Annotated[Text | None, Column("The offer (clicks and revenue only).")] = None
    revenue: Annotated[Money | None, Column("Amount earned (revenue only).", "account currency")] = None
    payout: Annotated[Money | None, Column("What the offer paid (revenue only).", "account currency")] = None
    phone_number: Annotated[
        Text | None,
        Column(
            "Phone number of the recipient or clicker, or its hash, as in contacts (not for revenue).",
            various=True,
        ),
    ] = None
    send_type: Annotated[Text | None, Column("Kind of send, such as campaign (sends only).")] = None
    delivered: Annotated[Flag | None, Column("Whether it was delivered (sends only).")] = None
    length: Annotated[Integer | None, Column("Length of the text (sends only).", "characters")] = None
    message: Annotated[
        Text | None, Column("The text (sends only); null unless TRACKLY_KEEP_MESSAGES is on.", various=True)
    ] = None
    send_timestamp: Annotated[
        Instant | None, Column("When the message was sent, by the click (clicks only).", "UTC")
    ] = None
    attribution_type: Annotated[Text | None, Column("Such as sale or migration (revenue only).")] = None
    raw: Annotated[Json, Column("The row as it was read (quarantined and rejected rows).")] = ABSENT
    evidence: Annotated[
        Text | None,
        Column("The contact's figures behind the reason (revenue that a reading settled)."),
    ] = None


class ImportChunk(msgspec.Struct):
    """One call."""

    chunk: Annotated[Integer, Column("Its number, in the order of the intents.")]
    dataset: Annotated[Text, Column("sends, clicks or revenue.")]
    state: Annotated[
        Text,
        Column(
            "intended: on record, no answer yet; answered; lost: perhaps carried out; refused: not carried out.",
            known=CHUNK_STATES,
        ),
    ]
    rows: Annotated[Integer, Column("Records in it.", "rows")]
    bytes: Annotated[Integer, Column("Size of its body.", "bytes")]
    attempts: Annotated[Integer | None, Column("Requests that it took.", "requests")]
    http_status: Annotated[Integer | None, Column("HTTP status of the answer.")]
    success_count: Annotated[Integer, Column("Records imported, as the API counts them.", "rows")]
    error_count: Annotated[Integer, Column("Records that failed, as the API counts them.", "rows")]
    duplicates_skipped: Annotated[
        Integer, Column("Records that the account already had, as the API counts them.", "rows")
    ]
    invalid_phones: Annotated[Integer, Column("Phone numbers refused, as the API counts them.", "rows")]
    total_revenue: Annotated[
        Money | None, Column("Revenue imported, as the API sums it.", "account currency")
    ]
    intended_at: Annotated[
        Instant, Column("When the intent was recorded, before the request was sent.", "UTC")
    ]
    sent_at: Annotated[
        Instant | None, Column("When the request was sent that was answered, or cut off.", "UTC")
    ]
    answered_at: Annotated[Instant | None, Column("When its answer had arrived.", "UTC")]
    error: Annotated[Text | None, Column("The error of the complete call.")]
    run: Annotated[
        Text | None, Column("The run that sent it; see sync.runs. Null for calls of an earlier version.")
    ] = None


class ImportResolution(msgspec.Struct):
    """One decision of a person about a row."""

    dataset: Annotated[Text, Column("sends, clicks or revenue.")]
    identity: Annotated[Text, Column("The row, as in imports.records; account for one about all of it.")]
    outcome: Annotated[
        Text,
        Column(
            "accepted: it is in the account; pending: it was sent again; rejected: it was left out; acknowledged: it "
            "turned up after it was called absent, or `reconcile` found it perhaps there twice, and somebody has "
            "looked; differs: its file says something else than was sent, and somebody has looked; emptied: somebody "
            "stated that the account no longer has what the ledger does not know.",
            known=("accepted", "pending", "rejected", "acknowledged", "differs", "emptied"),
        ),
    ]
    reason: Annotated[Text, Column("The reason, as the person wrote it.")]
    resolved_at: Annotated[Instant, Column("When.", "UTC")]
    resolved_by: Annotated[
        Text | None, Column("The user's name on the machine; null if it is not known.")
    ] = None


RECORDS = Dataset(
    name="records",
    row=ImportRecord,
    key=(),
    doc="One row per row of history: rows of the current input, and rows that were sent from earlier inputs.",
    source="",
)
FACTS = tuple(
    field
    for field in RECORDS.fields
    if field.name
    in (
        "happened_at",
        "list_id",
        "list_number",
        "offer_id",
        "revenue",
        "payout",
        "phone_number",
        "send_type",
        "delivered",
        "length",
        "message",
        "send_timestamp",
        "attribution_type",
    )
)
"""Columns of imports.records with a row's values, which are archived too, since otherwise only its file has them."""
CHUNKS = Dataset(
    name="chunks",
    row=ImportChunk,
    key=("chunk",),
    doc="One row per call to an import endpoint.",
    source="",
)
RESOLUTIONS = Dataset(
    name="resolutions",
    row=ImportResolution,
    key=(),
    doc="One row per decision of a person about a row (`trackly-sync resolve`).",
    source="",
)


PERHAPS_TWICE = "perhaps_twice"

FINDINGS = ("missing", PERHAPS_TWICE, "in_doubt", "contact_gone", "more")
"""Findings that a reconciliation counts as `findings`."""

STILL_TWICE = "still_twice"
"""A finding that is counted separately: a person has acknowledged it already."""


class ImportDifference(msgspec.Struct):
    """One contact whose totals differ from the earlier totals plus the accepted rows."""

    measure: Annotated[
        Text, Column("revenue, conversions or clicks.", known=("revenue", "conversions", "clicks"))
    ]
    phone_number: Annotated[Text, Column("The contact's phone number.")]
    list_id: Annotated[
        Integer | None,
        Column(
            "Its list; null where all lists of the number were compared together, or it is not in the account."
        ),
    ]
    before: Annotated[
        Money, Column("Its total before the first of our rows.", "account currency, or a count")
    ]
    accepted: Annotated[Money, Column("Accepted since then, by the ledger.", "the same")]
    in_doubt: Annotated[Money, Column("Rows in doubt.", "the same")]
    found: Annotated[Money | None, Column("Its total now; null if the contact is gone.", "the same")]
    difference: Annotated[Money | None, Column("found minus before minus accepted.", "the same")]
    finding: Annotated[
        Text,
        Column(
            "missing: less than was accepted. perhaps_twice: more, as if a row that was sent again, or that "
            "a gateway delivered twice, counts twice. "
            "in_doubt: what is in doubt may explain it. contact_gone: it is not among the contacts: it left, or "
            "never was one. more: other activity of the account. still_twice: more, exactly as if what was "
            "acknowledged as perhaps there twice (`trackly-sync resolve`) is still in the account.",
            known=(*FINDINGS, STILL_TWICE),
        ),
    ]
    checked_at: Annotated[Instant, Column("When the contacts were read.", "UTC")]


DIFFERENCES = Dataset(
    name="differences",
    row=ImportDifference,
    key=("measure", "phone_number", "list_id"),
    doc="One row per contact and measure for which the last `trackly-sync reconcile` found a difference.",
    source="/api-reference/v2/contacts/list-contacts",
)
