"""What the ledger's verbs take, and the statements that move chunks and rows.

What does not belong here: which moves there are, and their transactions (`ledger`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from pipelines.errors import DataError
from pipelines.push.ledger_tables import CHUNKS, ROWS, ChunkState
from pipelines.push.verdicts import Outcome, Verdict


class LedgerRows(NamedTuple):
    """The rows of an intent, column by column: what push_rows keeps of each.

    Attributes:
        identity: what it is known by.
        contact: for sends, the phone number that it went to.
        list_ref: for sends, the number or id of its list.
        message_id: for revenue, the send.
        amount: for revenue, in ten-thousandths of the currency.
    """

    identity: list[str]
    contact: list[str | None]
    list_ref: list[str | None]
    message_id: list[str | None]
    amount: list[int | None]

    @classmethod
    def none(cls) -> "LedgerRows":
        """No rows, to be extended."""
        return cls([], [], [], [], [])

    def extend(self, other: "LedgerRows", start: int, stop: int) -> None:
        """Append a slice of other rows."""
        self.identity.extend(other.identity[start:stop])
        self.contact.extend(other.contact[start:stop])
        self.list_ref.extend(other.list_ref[start:stop])
        self.message_id.extend(other.message_id[start:stop])
        self.amount.extend(other.amount[start:stop])


@dataclass(frozen=True, slots=True)
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
class Presence:
    """How the current input differs from what the ledger took it to be.

    Attributes:
        changed: by identity, whether the row is in the input now.
        chunks: by chunk, by how much its count of current rows changes.
    """

    changed: Mapping[str, bool]
    chunks: Mapping[int, int]


def move(connection: sa.Connection, dataset: str, identities: Sequence[str], chunk: int) -> None:
    """Put pending rows into another chunk."""
    result = connection.execute(
        sa.update(ROWS)
        .where(
            ROWS.c.dataset == dataset,
            ROWS.c.identity == sa.bindparam("who"),
            ROWS.c.outcome == Outcome.PENDING,
            ROWS.c.current,
        )
        .values(chunk=chunk, outcome=None, code=None, message=None, tries=ROWS.c.tries + 1),
        [{"who": identity} for identity in identities],
    )
    if result.rowcount not in (-1, len(identities)):
        raise DataError(
            f"Of {len(identities)} rows of {dataset} only {result.rowcount} are pending.", "Push again."
        )


def leave(
    connection: sa.Connection, chunk: int, state: ChunkState, own: int | None, values: Mapping[str, Any]
) -> None:
    """Move a chunk out of `intended`; `own` rows (None: all) no longer take their outcome from it."""
    current = 0 if own is None else CHUNKS.c.current - own
    moved = connection.execute(
        sa.update(CHUNKS)
        .where(CHUNKS.c.chunk == chunk, CHUNKS.c.state == ChunkState.INTENDED)
        .values(state=state, current=current, **values)
    )
    if moved.rowcount != 1:
        raise DataError(f"Chunk {chunk} is not under way and cannot become {state}.", "Push again.")


def give(connection: sa.Connection, dataset: str, chunk: int, own: Mapping[str, Verdict]) -> None:
    """Rows of a chunk get outcomes of their own."""
    if own:
        connection.execute(
            sa.update(ROWS)
            .where(ROWS.c.dataset == dataset, ROWS.c.identity == sa.bindparam("who"), ROWS.c.chunk == chunk)
            .values(outcome=sa.bindparam("what"), code=sa.bindparam("why"), message=sa.bindparam("words")),
            [{"who": i, "what": v.outcome, "why": v.code, "words": v.message} for i, v in own.items()],
        )


def give_all(connection: sa.Connection, dataset: str, chunks: Sequence[int], verdict: Verdict) -> None:
    """All rows of chunks that have no outcome of their own get this one."""
    connection.execute(
        sa.update(ROWS)
        .where(ROWS.c.dataset == dataset, ROWS.c.chunk.in_(chunks), ROWS.c.outcome.is_(None))
        .values(outcome=verdict.outcome, code=verdict.code, message=verdict.message)
    )
