"""Decisions of a person about rows of the input, and the times that such decisions depend on.

They are about revenue that may be in the account twice, and about rows that differ from what was sent. What does not
belong here: which rows are in question (`pipelines.push.checks.revenue.same_rows`,
`pipelines.push.checks.differing_rows`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import sqlalchemy as sa

from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.db.tables import ACKNOWLEDGED, CHUNKS, DECIDED, DECISIONS, FILES, INTAKES
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.revenue.in_doubt import note_resolutions
from pipelines.runs.recording import now, person

_BATCH = 50_000


class Decided(NamedTuple):
    """A decision about rows with one identity.

    Attributes:
        base: the identity, without an occurrence number.
        rows: how many rows the decision is about.
        times: how many of them are sales.
    """

    base: str
    rows: int
    times: int


def decide(ledger: Ledger, choice: str, reason: str, rows: Sequence[Decided]) -> None:
    """Record a decision about revenue of this part of the input; it replaces earlier ones about the same rows.

    Args:
        ledger: an open ledger.
        choice: count or once.
        reason: the person's reason.
        rows: the rows of the decision.
    """
    if not rows:
        return
    with ledger.begin(REVENUE) as connection:
        made = sa.insert(DECISIONS).values(
            dataset=REVENUE,
            part=ledger.part,
            choice=choice,
            reason=reason,
            decided_at=now(),
            decided_by=person(),
        )
        number = int((connection.execute(made).inserted_primary_key or [0])[0])
        same = {"dataset": REVENUE, "part": ledger.part, "decision": number}
        gone = sa.delete(DECIDED).where(
            DECIDED.c.dataset == REVENUE,
            DECIDED.c.part == ledger.part,
            DECIDED.c.base == sa.bindparam("which"),
        )
        connection.execute(gone, [{"which": row.base} for row in rows])
        connection.execute(sa.insert(DECIDED), [{**same, **row._asdict()} for row in rows])


def decided(ledger: Ledger) -> Iterator[pa.Table]:
    """Yield all decisions in batches: base, rows, times, and that it is not new."""
    query = sa.select(DECIDED.c.base, DECIDED.c.rows, DECIDED.c.times).where(
        DECIDED.c.dataset == REVENUE, DECIDED.c.part == ledger.part
    )
    with ledger.begin() as connection:
        for batch in connection.execution_options(yield_per=_BATCH).execute(query).partitions():
            base, rows, times = zip(*batch, strict=True)
            yield pa.table(
                {
                    "base": pa.array(base, pa.string()),
                    "rows": pa.array(rows, pa.int64()),
                    "times": pa.array(times, pa.int64()),
                    "is_new": pa.array([False] * len(base), pa.bool_()),
                }
            )


class Differing(NamedTuple):
    """A row that differs from what was sent.

    Attributes:
        identity: the identity of the row.
        content: the digest of its present content.
    """

    identity: str
    content: int


DIFFERS = "differs"
"""The outcome in imports.resolutions of rows that differ from what was sent, when a person has acknowledged them."""


def acknowledge(ledger: Ledger, dataset: str, reason: str, rows: Sequence[Differing]) -> None:
    """Record that a person has acknowledged these rows, which are all that differ in this part of the input now.

    Args:
        ledger: an open ledger.
        dataset: sends, clicks or revenue.
        reason: the person's reason.
        rows: the rows that differ.
    """
    if not rows:
        return
    same = {"dataset": dataset, "part": ledger.part}
    with ledger.begin(dataset) as connection:
        gone = sa.delete(ACKNOWLEDGED).where(
            ACKNOWLEDGED.c.dataset == dataset,
            ACKNOWLEDGED.c.part == ledger.part,
            ACKNOWLEDGED.c.identity == sa.bindparam("who"),
        )
        connection.execute(gone, [{"who": row.identity} for row in rows])
        connection.execute(sa.insert(ACKNOWLEDGED), [{**same, **row._asdict()} for row in rows])
        note_resolutions(connection, [row.identity for row in rows], DIFFERS, reason, now(), dataset)
        mine = (INTAKES.c.dataset == dataset, INTAKES.c.part == ledger.part)
        connection.execute(sa.update(INTAKES).where(*mine).values(differs=0))


def acknowledged(ledger: Ledger, dataset: str) -> Iterator[pa.Table]:
    """Yield acknowledged rows of a dataset and this part of the input, in batches: identity, content."""
    query = sa.select(ACKNOWLEDGED.c.identity, ACKNOWLEDGED.c.content).where(
        ACKNOWLEDGED.c.dataset == dataset, ACKNOWLEDGED.c.part == ledger.part
    )
    with ledger.begin() as connection:
        for batch in connection.execution_options(yield_per=_BATCH).execute(query).partitions():
            identity, content = zip(*batch, strict=True)
            yield pa.table(
                {"identity": pa.array(identity, pa.string()), "content": pa.array(content, pa.int64())}
            )


def note_files(ledger: Ledger, dataset: str, paths: Iterable[str]) -> None:
    """Record which files the input has, and since when.

    Args:
        ledger: an open ledger.
        dataset: sends, clicks or revenue.
        paths: all files of the current input.
    """
    mine = (FILES.c.dataset == dataset, FILES.c.part == ledger.part)
    with ledger.begin() as connection:
        found = connection.execute(sa.select(FILES.c.path, FILES.c.since).where(*mine))
        before = _pairs(found.all())
        at = now()
        connection.execute(sa.delete(FILES).where(*mine))
        rows = [
            {"dataset": dataset, "part": ledger.part, "path": path, "since": before.get(path, at)}
            for path in dict.fromkeys(paths)
        ]
        if rows:
            connection.execute(sa.insert(FILES), rows)


def files_since(ledger: Ledger) -> dict[str, str]:
    """Return the files of revenue in this part of the input, and since when it has them."""
    mine = (FILES.c.dataset == REVENUE, FILES.c.part == ledger.part)
    with ledger.begin() as connection:
        found = connection.execute(sa.select(FILES.c.path, FILES.c.since).where(*mine))
        return _pairs(found.all())


def _pairs(rows: Sequence[Sequence[str]]) -> dict[str, str]:
    return {row[0]: row[1] for row in rows}


def call_times(ledger: Ledger) -> pa.Table:
    """Return when each call of revenue was meant to be sent, of any part of the input: chunk, at."""
    query = sa.select(CHUNKS.c.chunk, CHUNKS.c.intended_at).where(CHUNKS.c.dataset == REVENUE)
    with ledger.begin() as connection:
        found = connection.execute(query).all()
    chunks, times = [row[0] for row in found], [row[1] for row in found]
    return pa.table({"chunk": pa.array(chunks, pa.int32()), "at": pa.array(times, pa.string())})
