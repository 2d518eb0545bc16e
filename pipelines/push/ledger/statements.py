"""The arguments of the ledger's verbs, and the statements that move chunks and rows.

What does not belong here: which moves exist, and their transactions (`ledger`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from pipelines.errors import DataError
from pipelines.push.ledger.db.call_states import REVENUE, ChunkState
from pipelines.push.ledger.db.engine import insert_many
from pipelines.push.ledger.db.tables import CHUNKS, ROWS
from pipelines.push.outcomes import NO_ANSWER, UNSETTLED, Outcome, Verdict
from pipelines.text.humanize import plural


class LedgerRows(NamedTuple):
    """The rows of an intent, column by column, as push_rows keeps them.

    Attributes:
        identity: the identity of the row.
        content: the digest of what is sent to the API.
        contact: for sends and revenue, the phone number.
        list_ref: for sends, the number or id of the list; for revenue, the list's id, or what the send has.
        message_id: for revenue, the send.
        amount: for revenue, in ten-thousandths of the currency.
        amount_before: for revenue, the contact's revenue_total before it is sent, in ten-thousandths.
        count_before: for revenue, the contact's conversion_count before it is sent.
        phone_amount_before, phone_count_before: the same over all contacts with the phone number.
        likeness: for revenue, the digest of its message, offer and amount.
        source: for revenue, the number of its file.

    A column that the dataset does not have is empty.
    """

    identity: list[str]
    content: list[int | None]
    contact: list[str | None]
    list_ref: list[str | None]
    message_id: list[str | None]
    amount: list[int | None]
    amount_before: list[int | None]
    count_before: list[int | None]
    phone_amount_before: list[int | None]
    phone_count_before: list[int | None]
    likeness: list[int | None]
    source: list[int | None]

    @classmethod
    def none(cls) -> "LedgerRows":
        """Return no rows, to be extended."""
        return cls(*([] for _ in cls._fields))

    @classmethod
    def of(cls, columns: Sequence[list[Any]]) -> "LedgerRows":
        """Return rows with the given first columns; the other columns are empty."""
        return cls(*columns, *([] for _ in cls._fields[len(columns) :]))

    def extend(self, other: "LedgerRows", start: int, stop: int) -> None:
        """Append a slice of other rows.

        Args:
            other: rows with the same columns.
            start: the first row, from 0.
            stop: the row after the last.
        """
        columns: Iterator[tuple[list[Any], list[Any]]] = zip(self, other, strict=True)
        for mine, more in columns:
            mine.extend(more[start:stop])


KEPT = {
    "sends": ("identity", "content", "contact", "list_ref"),
    "clicks": ("identity", "content"),
    REVENUE: LedgerRows._fields,
}
"""Columns that are kept for a dataset; the others would be null."""

_RENEWED = (
    "content", "contact", "list_ref", "message_id", "amount", "amount_before", "count_before", "phone_amount_before",
    "phone_count_before", "likeness", "source",
)  # fmt: skip
"""Columns that are replaced when a row is sent again: content, contact, and the contact's present totals."""

_FIRST_COUNTS = ROWS.c.code == NO_ANSWER
"""The call before may have been carried out, and then the account keeps what that call sent."""

_KEPT_OF_FIRST = {"sends": ("content", "contact", "list_ref"), "clicks": ("content",), REVENUE: ("content",)}
"""The columns kept in that case, until an answer shows more (`renew`). Revenue goes again only if not carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The figures of an answer, as push_chunks keeps them."""

    sent_at: str
    answered_at: str
    attempts: int
    http_status: int
    success_count: int
    error_count: int
    duplicates_skipped: int
    invalid_phones: int
    total_revenue: int | None


@dataclass(frozen=True, slots=True)
class InputChanges:
    """How the current input differs from the input that the ledger has recorded.

    Attributes:
        changed: by identity, whether the row is in the input now.
        chunks: by chunk, by how much its count of current rows changes.
        packs: by packed chunk whose rows all change together, whether they are in the input now; these rows are not
            in `changed`.
        differs: how many rows in the account have other content in their file now, without acknowledged ones.
    """

    changed: Mapping[str, bool]
    chunks: Mapping[int, int]
    packs: Mapping[int, bool] = field(default_factory=dict)
    differs: int = 0


def add(connection: sa.Connection, dataset: str, rows: LedgerRows, chunk: int, *, current: bool) -> None:
    """Record new rows, each as a row of push_rows.

    Args:
        connection: a transaction.
        dataset: sends, clicks or revenue.
        rows: the rows, column by column.
        chunk: their call.
        current: whether they are in the current input.
    """
    same: dict[str, str | int | bool] = {"dataset": dataset, "chunk": chunk, "tries": 1, "current": current}
    insert_many(connection, ROWS, same, {name: getattr(rows, name) for name in KEPT[dataset]})


def move(connection: sa.Connection, dataset: str, rows: LedgerRows, chunk: int) -> None:
    """Move pending rows into another chunk, with the present totals of their contacts.

    Args:
        connection: a transaction.
        dataset: sends, clicks or revenue.
        rows: the rows, column by column.
        chunk: their new call.
    """
    renewed = [name for name in _RENEWED if getattr(rows, name)]
    given: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in renewed}
    for name in _KEPT_OF_FIRST[dataset]:
        if name in given:
            given[name] = sa.case((_FIRST_COUNTS, ROWS.c[name]), else_=given[name])
    result = connection.execute(
        sa.update(ROWS)
        .where(
            ROWS.c.dataset == dataset,
            ROWS.c.identity == sa.bindparam("who"),
            ROWS.c.outcome == Outcome.PENDING,
            ROWS.c.current,
        )
        .values(
            chunk=chunk,
            outcome=None,
            code=None,
            message=None,
            absent_since=None,
            settled_at=None,
            tries=ROWS.c.tries + 1,
            **given,
        ),
        [
            dict(zip(("who", *(f"new_{name}" for name in renewed)), row, strict=True))
            for row in zip(rows.identity, *(getattr(rows, name) for name in renewed), strict=True)
        ],
    )
    if result.rowcount not in (-1, len(rows.identity)):
        raise DataError(
            f"Of {plural(len(rows.identity), 'row')} of {dataset}"
            f" only {plural(result.rowcount, 'is', 'are')} pending.",
            "Push again.",
        )


_UNDER_WAY = (CHUNKS.c.chunk == sa.bindparam("which"), CHUNKS.c.state == ChunkState.INTENDED)
_LEAVE = sa.update(CHUNKS).where(*_UNDER_WAY).values(current=CHUNKS.c.current - sa.bindparam("own"))
_LEAVE_ALL = sa.update(CHUNKS).where(*_UNDER_WAY).values(current=0)


def renew(connection: sa.Connection, dataset: str, rows: LedgerRows, chunk: int) -> None:
    """Record what rows were sent with in their present call, if `move` has kept what the call before sent.

    Args:
        connection: a transaction.
        dataset: sends or clicks.
        rows: the rows of the call, column by column.
        chunk: the call.
    """
    names = [name for name in _KEPT_OF_FIRST[dataset] if getattr(rows, name)]
    connection.execute(
        sa.update(ROWS)
        .where(
            ROWS.c.dataset == dataset,
            ROWS.c.identity == sa.bindparam("who"),
            ROWS.c.chunk == sa.bindparam("call"),
        )
        .values({name: sa.bindparam(f"new_{name}") for name in names}),
        [
            {"call": chunk, **dict(zip(("who", *(f"new_{name}" for name in names)), row, strict=True))}
            for row in zip(rows.identity, *(getattr(rows, name) for name in names), strict=True)
        ],
    )


def leave(
    connection: sa.Connection, chunk: int, state: ChunkState, own: int | None, values: Mapping[str, Any]
) -> None:
    """Move a chunk out of `intended`; `own` of its rows no longer take their outcome from it.

    Args:
        connection: a transaction.
        chunk: the call.
        state: its new state.
        own: how many rows get outcomes of their own; None for all.
        values: the columns of push_chunks to set.
    """
    given = {"which": chunk, "state": state, **values}
    moved = connection.execute(*((_LEAVE_ALL, given) if own is None else (_LEAVE, {**given, "own": own})))
    if moved.rowcount != 1:
        raise DataError(f"Chunk {chunk} is not under way and cannot become {state}.", "Push again.")


def give(connection: sa.Connection, dataset: str, chunk: int, own: Mapping[str, Verdict]) -> None:
    """Give rows of a chunk outcomes of their own.

    Args:
        connection: a transaction.
        dataset: sends, clicks or revenue.
        chunk: their call.
        own: by identity, the verdicts.
    """
    if own:
        connection.execute(
            sa.update(ROWS)
            .where(ROWS.c.dataset == dataset, ROWS.c.identity == sa.bindparam("who"), ROWS.c.chunk == chunk)
            .values(outcome=sa.bindparam("what"), code=sa.bindparam("why"), message=sa.bindparam("words")),
            [{"who": i, "what": v.outcome, "why": v.code, "words": v.message} for i, v in own.items()],
        )


def give_all(connection: sa.Connection, dataset: str, chunks: Sequence[int], verdict: Verdict) -> None:
    """Give all rows of chunks without an outcome of their own this verdict.

    Args:
        connection: a transaction.
        dataset: sends, clicks or revenue.
        chunks: the calls.
        verdict: the verdict.
    """
    connection.execute(
        sa.update(ROWS)
        .where(ROWS.c.dataset == dataset, ROWS.c.chunk.in_(chunks), ROWS.c.outcome.is_(None))
        .values(outcome=verdict.outcome, code=verdict.code, message=verdict.message)
    )


def unsettled_contacts(part: str) -> sa.Select[Any]:
    """Return a query for the contacts of a part that have revenue in doubt which a later reading may settle."""
    rows, chunks = ROWS.alias("unsettled"), CHUNKS.alias("their_calls")
    return (
        sa.select(rows.c.contact)
        .join(chunks, chunks.c.chunk == rows.c.chunk)
        .where(
            rows.c.dataset == REVENUE,
            rows.c.outcome == Outcome.IN_DOUBT,
            rows.c.code.in_(UNSETTLED),
            rows.c.contact.is_not(None),
            chunks.c.part == part,
        )
    )
