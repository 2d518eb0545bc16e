"""Intake of one dataset: files into the stage, judged, and the ledger told what the current input is.

What does not belong here: sending, and the order of datasets (`run`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipelines.privacy import KEEP_ALL, Privacy
from pipelines.push.checks.compare import hold_against
from pipelines.push.checks.conflicts import two_numberings
from pipelines.push.checks.same_rows import Decision, new_decided
from pipelines.push.checks.validate import validate
from pipelines.push.file_findings import equal_files
from pipelines.push.files.find import Source
from pipelines.push.ledger.db.tables import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.decisions import decide, note_files
from pipelines.push.outcomes import Outcome
from pipelines.push.parse.facts import EMPTY
from pipelines.push.stage.database import Progress, building, count
from pipelines.push.stage.query_cage import DEFAULT_BOUNDS, Bounds
from schemas.columns import Dataset

_PREVIEW_ROWS = 5
MOST_REASONS = 20
"""Most reasons that are told of one dataset."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What an intake found.

    Attributes:
        dataset: its name.
        files: the files that were read.
        rows_in: rows in them, malformed lines included.
        quarantined: rows that are wrong in themselves.
        duplicate: rows that the input repeats.
        parked: rows whose send is not in the account (yet).
        known: rows that the ledger has an attempt or an outcome of.
        pending: rows that are new and ready to be sent.
        reasons: how many rows are held back for which reason, the most frequent 20.
        preview: a few rows that are ready, without texts and phone numbers.
        advice: what the files as a whole look like, and what to do about it.
    """

    dataset: str
    files: tuple[Path, ...]
    rows_in: int
    quarantined: int
    duplicate: int
    parked: int
    known: int
    pending: int
    reasons: dict[str, int]
    preview: tuple[dict[str, Any], ...]
    advice: tuple[str, ...] = ()


def take_in(
    path: Path,
    dataset: Dataset,
    sources: Sequence[Source],
    warehouse: Path,
    ledger: Ledger,
    on_progress: Progress | None = None,
    *,
    hold_synced: bool = True,
    bounds: Bounds = DEFAULT_BOUNDS,
    privacy: Privacy = KEEP_ALL,
    decision: Decision | None = None,
) -> Intake:
    """Rebuild a dataset's stage from its files and record it as the current input.

    Args:
        path: where the stage goes.
        dataset: the dataset.
        sources: its files; with none, the current input has no rows.
        warehouse: for references.
        ledger: open for writing.
        on_progress: called while rows are judged.
        hold_synced: whether revenue that its network syncs by itself is to be held back.
        bounds: what queries in `.sql` files may take.
        privacy: what the ledger keeps of phone numbers.
        decision: about revenue that may be there twice.

    Raises:
        UsageError: a file cannot be used as it is; the stage and the ledger are as they were.
        StorageError: the disk refused; likewise.
    """
    with building(path, dataset, sources, warehouse, bounds) as connection:
        privacy.define(connection)
        validate(connection, dataset, warehouse, on_progress, hold_synced=hold_synced)
        rows_in, held, presence = hold_against(connection, dataset.name, ledger, decision=decision)
        found = describe(connection, dataset, sources, rows_in, held)
        if decision and dataset.name == REVENUE:
            decide(ledger, decision.choice, decision.reason, new_decided(connection))
        note_files(ledger, dataset.name, (str(source.path) for source in sources))
        ledger.take_in(dataset.name, rows_in, held, presence)
    return found


def describe(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    sources: Sequence[Source],
    rows_in: int,
    held: dict[str, int],
) -> Intake:
    """An Intake, from a stage that was held against the ledger."""
    known = count(connection, "SELECT count(*) FROM ready WHERE identity IN (SELECT identity FROM known)")
    hidden = {"message", "to_number", "phone_number"}
    shown = [name for name in dataset.columns if name not in hidden]
    rows = connection.execute(f"SELECT {', '.join(shown)} FROM ready LIMIT {_PREVIEW_ROWS}").fetchall()
    return Intake(
        dataset=dataset.name,
        files=tuple(source.path for source in sources),
        rows_in=rows_in,
        quarantined=held.get(Outcome.QUARANTINED, 0),
        duplicate=held.get(Outcome.DUPLICATE, 0),
        parked=held.get(Outcome.PARKED, 0),
        known=known,
        pending=rows_in - sum(held.values()) - known,
        reasons=held_reasons(connection),
        preview=tuple(dict(zip(shown, row, strict=True)) for row in rows),
        advice=tuple(_advice(connection, dataset, [source.path for source in sources])),
    )


def _advice(connection: duckdb.DuckDBPyConnection, dataset: Dataset, paths: Sequence[Path]) -> Iterator[str]:
    empty = "SELECT file FROM files WHERE list_contains(notes, ?) ORDER BY file"
    for (number,) in connection.execute(empty, [EMPTY]).fetchall():
        yield f"{paths[number].name} is empty: export it again, or take it away."
    for one, two in equal_files([path for path in paths if path.stat().st_size]):
        yield f"{one.name} and {two.name} are equal, byte for byte: take one of them away."
    key = dataset.key[0]
    for first, second in two_numberings(connection):
        yield (
            f"{paths[first].name} and {paths[second].name} use the same {key} for different rows, as two exports "
            f"do that both number from 1. Prefix those of one in a .sql file: "
            f"SELECT 'b-' || {key} AS {key}, * EXCLUDE ({key}) FROM …; what refers to them needs the same prefix."
        )


def held_reasons(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Why rows of a stage are held back: "outcome: reason" and how many rows, the most frequent first."""
    found = connection.execute(
        "SELECT outcome || ': ' || reason, count(*) AS rows FROM verdicts GROUP BY ALL ORDER BY rows DESC, 1 LIMIT ?",
        [MOST_REASONS],
    ).fetchall()
    return dict(found)
