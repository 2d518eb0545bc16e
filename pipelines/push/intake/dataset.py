"""Intake of one dataset: files into the stage, judged, and recorded in the ledger as the current input.

What does not belong here: sending, and the order of datasets (`datasets`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.privacy import Privacy
from pipelines.push.audit.archive.rows import all_archived
from pipelines.push.checks.compare import SendsStage, compare
from pipelines.push.checks.compared import Compared
from pipelines.push.checks.revenue.like_sent import note_faces
from pipelines.push.checks.revenue.same_rows import Decision, new_decided
from pipelines.push.checks.validate import validate
from pipelines.push.files.find import Source
from pipelines.push.intake.found import Intake, found_in
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.decisions import decide, note_files
from pipelines.push.ledger.queries.revenue.sources import note_sources
from pipelines.push.stage.database import Progress, building, count, stage_path
from pipelines.push.stage.query_cage import Bounds
from pipelines.settings import Settings
from schemas.columns import Dataset
from schemas.registry import PUSHED


@dataclass(frozen=True, slots=True)
class Incoming:
    """New input that is not recorded yet.

    Attributes:
        sources: by dataset, the files that its stage was built from.
        decision: about revenue that may be in the account twice.
    """

    sources: Mapping[str, Sequence[Source]]
    decision: Decision | None = None


def take_in(
    settings: Settings,
    dataset: Dataset,
    sources: Sequence[Source],
    ledger: Ledger,
    on_progress: Progress | None = None,
) -> Intake:
    """Rebuild a dataset's stage from its files and record it as the current input.

    Args:
        settings: the place of stage and warehouse, and what is kept and held back.
        dataset: the dataset.
        sources: its files; without files the current input has no rows.
        ledger: a ledger that is open for writing.
        on_progress: called when the rows are judged.

    Raises:
        UsageError: a file cannot be used as it is; stage and ledger are unchanged.
        StorageError: the disk refused; stage and ledger are unchanged.
    """
    path = stage_path(settings, dataset.name)
    with judged(settings, path, dataset, sources, on_progress) as connection:
        incoming = Incoming({dataset.name: sources})
        return put_on_record(connection, dataset.name, ledger, settings, incoming)[1]


def put_on_record(
    connection: duckdb.DuckDBPyConnection, name: str, ledger: Ledger, settings: Settings, incoming: Incoming
) -> tuple[Compared, Intake]:
    """Compare a new stage with the ledger and record it there as the current input; also return what was found.

    Args:
        connection: the connection of the stage.
        name: the dataset.
        ledger: a ledger that is open for writing.
        settings: the place of the stage of sends and of the archive.
        incoming: the files that the stage was built from.
    """
    sources, decision = incoming.sources[name], incoming.decision
    paths = [str(source.path) for source in sources]
    note_files(ledger, name, paths)
    if name == REVENUE:
        note_sources(ledger, paths)  # a row is recorded with the number of its file
    sends = SendsStage(stage_path(settings, "sends"))
    with all_archived(settings, name) as archive:
        compared = compare(connection, name, ledger, sends, decision, archive)
    found = found_in(compared, PUSHED[name], sources)
    if decision and name == REVENUE:
        decide(ledger, decision.choice, decision.reason, new_decided(connection))
    compared.record(ledger)
    if name == REVENUE:
        note_faces(connection, ledger)
    return compared, found


@contextmanager
def judged(
    settings: Settings, path: Path, dataset: Dataset, sources: Sequence[Source], on_progress: Progress | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Build a new stage and judge each row by itself; the stage replaces the old one if the block ends well.

    Args:
        settings: the place of the warehouse, and what is kept and held back.
        path: the stage.
        dataset: the dataset.
        sources: its files.
        on_progress: called when the rows are judged.

    Raises:
        UsageError: a file cannot be used as it is.
        StorageError: the disk refused.
    """
    bounds, privacy = Bounds.of(settings), Privacy.of(settings)
    with building(path, dataset, sources, settings.warehouse, bounds, privacy) as connection:
        hold_synced = not settings.push_synced_revenue
        validate(connection, dataset, settings.warehouse, hold_synced=hold_synced)
        if on_progress:  # counts rows that could not be read too
            rows = count(connection, "SELECT count(*) FROM input")
            on_progress(dataset.name, rows, rows)
        yield connection
