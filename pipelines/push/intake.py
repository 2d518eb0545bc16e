"""Intake of one dataset: files into the stage, judged, and on record in the ledger as the current input.

What does not belong here: sending, and the order of datasets (`run`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypedDict

import duckdb

from pipelines.errors import UsageError
from pipelines.privacy import Privacy
from pipelines.push.checks.compare import Compared, SendsStage, compare
from pipelines.push.checks.conflicts import two_numberings
from pipelines.push.checks.revenue.same_rows import Decision, new_decided
from pipelines.push.checks.validate import validate
from pipelines.push.files.find import Source
from pipelines.push.files.unusable import Unusable
from pipelines.push.findings.files import equal_files
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.decisions import decide, note_files
from pipelines.push.ledger.queries.revenue.sources import note_sources
from pipelines.push.outcomes import Outcome
from pipelines.push.parse.facts import EMPTY
from pipelines.push.stage.database import Progress, building, count, stage_path
from pipelines.push.stage.query_cage import Bounds
from pipelines.push.stage.thousands import files_of_doubtful_thousands
from pipelines.runs import this_run
from pipelines.settings import Settings
from pipelines.storage import work_folder
from schemas.columns import Dataset
from schemas.registry import PUSHED

_PREVIEW_ROWS = 5
MOST_REASONS = 20
"""Most reasons that are shown of one dataset."""


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
        decided: how many kinds of held revenue were decided about now.
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
    decided: int = 0


@dataclass(frozen=True, slots=True)
class Taking:
    """How an intake goes about it.

    Attributes:
        changed: take in only datasets whose files are others than at their last intake, or have changed since.
        ignore_unread: go on without the files that are named like a dataset and cannot be read.
        attended: whether a person started this; else `.sql` files are read only if `sql_sources` is set.
        on_progress: called once the rows of a dataset are judged.
        run: the run's id in sync.runs; by default that of this process.
    """

    changed: bool = False
    ignore_unread: bool = False
    attended: bool = True
    on_progress: Progress | None = None
    run: str = field(default_factory=this_run)


@dataclass(frozen=True, slots=True)
class Incoming:
    """Input that is new, and not on record yet.

    Attributes:
        sources: by dataset, the files that its stage was built from.
        decision: about revenue that may be there twice.
    """

    sources: Mapping[str, Sequence[Source]]
    decision: Decision | None = None


class IntakeOptions(TypedDict, total=False):
    """The attributes of `Taking`, as keyword arguments."""

    changed: bool
    ignore_unread: bool
    attended: bool
    on_progress: Progress | None
    run: str


def take_in(
    settings: Settings,
    dataset: Dataset,
    sources: Sequence[Source],
    ledger: Ledger,
    on_progress: Progress | None = None,
) -> Intake:
    """Rebuild a dataset's stage from its files and record it as the current input.

    Args:
        settings: where the stage and the warehouse lie, and what is kept and held back.
        dataset: the dataset.
        sources: its files; with none, the current input has no rows.
        ledger: open for writing.
        on_progress: called once they are judged.

    Raises:
        UsageError: a file cannot be used as it is; the stage and the ledger are as they were.
        StorageError: the disk refused; likewise.
    """
    path = stage_path(settings, dataset.name)
    with judged(settings, path, dataset, sources, on_progress) as connection:
        incoming = Incoming({dataset.name: sources})
        return put_on_record(connection, dataset.name, ledger, stage_path(settings, "sends"), incoming)[1]


def put_on_record(
    connection: duckdb.DuckDBPyConnection, name: str, ledger: Ledger, sends: Path, incoming: Incoming
) -> tuple[Compared, Intake]:
    """Compare a new stage with the ledger, and record it there as the current input; returns what is in it, too.

    Args:
        connection: the stage's.
        name: of the dataset.
        ledger: open for writing.
        sends: the stage of sends.
        incoming: what the stage was built from.
    """
    sources, decision = incoming.sources[name], incoming.decision
    paths = [str(source.path) for source in sources]
    note_files(ledger, name, paths)
    if name == REVENUE:
        note_sources(ledger, paths)  # a row goes on record with the number of its file
    compared = compare(connection, name, ledger, SendsStage(sends), decision)
    found = describe(compared, PUSHED[name], sources)
    if decision and name == REVENUE:
        decide(ledger, decision.choice, decision.reason, new_decided(connection))
    compared.record(ledger)
    return compared, found


def refuse_unusable(
    settings: Settings, sources: Mapping[str, Sequence[Source]], first: UsageError
) -> NoReturn:
    """Raise the error of a file, together with those of the files that were not read yet.

    Args:
        settings: where the warehouse lies.
        sources: by dataset, the files that were not read; nothing becomes of their rows.
        first: the error that ended an intake.

    Raises:
        UsageError: always.
    """
    unusable = Unusable(first)
    with work_folder(settings.data_dir) as folder:
        for name, files in sources.items():
            path, bounds = folder / f"{name}.duckdb", Bounds.of(settings)
            with unusable.noted(), building(path, PUSHED[name], files, settings.warehouse, bounds):
                pass
    unusable.refuse()
    raise AssertionError  # it was noted


@contextmanager
def judged(
    settings: Settings, path: Path, dataset: Dataset, sources: Sequence[Source], on_progress: Progress | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new stage whose rows are judged by themselves; it takes its place when the block ends well.

    Args:
        settings: where the warehouse lies, and what is kept and held back.
        path: where the stage goes.
        dataset: the dataset.
        sources: its files.
        on_progress: called once they are judged.

    Raises:
        UsageError: a file cannot be used as it is.
        StorageError: the disk refused.
    """
    bounds, privacy = Bounds.of(settings), Privacy.of(settings)
    with building(path, dataset, sources, settings.warehouse, bounds, privacy) as connection:
        hold_synced = not settings.push_synced_revenue
        validate(connection, dataset, settings.warehouse, hold_synced=hold_synced)
        if on_progress:  # rows that could not be read are among them
            rows = count(connection, "SELECT count(*) FROM input")
            on_progress(dataset.name, rows, rows)
        yield connection


def describe(compared: Compared, dataset: Dataset, sources: Sequence[Source]) -> Intake:
    """What an intake found, from a compared stage.

    Args:
        compared: the stage.
        dataset: what it holds.
        sources: the files that it was built from, in order.
    """
    connection, rows_in, held = compared.connection, compared.rows_in, compared.held
    known = compared.known()
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
        decided=len(new_decided(connection)) if dataset.name == REVENUE else 0,
    )


def _advice(connection: duckdb.DuckDBPyConnection, dataset: Dataset, paths: Sequence[Path]) -> Iterator[str]:
    empty = "SELECT file FROM files WHERE list_contains(notes, ?) ORDER BY file"
    for (number,) in connection.execute(empty, [EMPTY]).fetchall():
        if not paths[number].name.startswith("part-"):  # Spark writes such
            yield f"{paths[number].name} is empty: export it again, or take it away."
    for one, two in equal_files([path for path in paths if path.stat().st_size]):
        yield f"{one.name} and {two.name} are equal, byte for byte: take one of them away."
    for number in files_of_doubtful_thousands(connection, dataset):
        yield f"amounts of {paths[number].name} have three digits behind the point: thousands?"
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
