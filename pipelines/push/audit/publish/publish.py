"""Publishes what analysts see of pushes: schema imports of the warehouse (records, chunks, resolutions).

What does not belong here: the rows of the largest table (`records`), differences (`differences`), the meaning of the
columns (`schemas.own_tables.imports`), and how the file is replaced (`pipelines.warehouse.swap`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.errors import StorageError, TracklySyncError
from pipelines.privacy import Privacy
from pipelines.push.audit.archive.files import reading_archive
from pipelines.push.audit.lost_ledger.forgotten_sends import find_named, keep_forgotten, restore_forgotten
from pipelines.push.audit.lost_ledger.survivors import note_published
from pipelines.push.audit.publish.records import insert_records, replacing_for_records
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.opening import existing_ledger
from pipelines.push.ledger.queries.revenue.in_doubt import resolutions
from pipelines.push.ledger.queries.run_counts import sent_after
from pipelines.push.stage.database import stage_path
from pipelines.settings import Settings
from pipelines.text.humanize import plural
from pipelines.warehouse.publish import publish_beside
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.structure.version import note_ledger
from schemas.columns import Dataset, Kind
from schemas.own_tables.imports import CHUNKS, RECORDS, RESOLUTIONS
from schemas.registry import PUSHED
from schemas.values.money import sql_amount


def publish_imports(settings: Settings) -> None:
    """Rebuild the tables from the ledger and the stages, in batches, so that memory stays constant.

    Raises:
        BusyError: another writer held the warehouse for too long.
        StorageError: the disk refused; the warehouse is unchanged.
    """
    with (
        existing_ledger(settings) as ledger,
        reading_archive(settings),
        replacing_for_records(settings.warehouse) as connection,
    ):
        tables = complete(connection)
        Privacy.of(settings).define(connection)
        is_forgotten = ledger is not None and keep_forgotten(connection, ledger)
        for dataset in (CHUNKS, RECORDS, RESOLUTIONS):
            tables.replace(f"imports.{dataset.name}", dataset, dataset.fields)
        shown = None if ledger is None else _fill_all(connection, settings, ledger, is_forgotten=is_forgotten)
        note_ledger(connection, shown)
        publish_beside(tables, settings)


def _fill_all(
    connection: duckdb.DuckDBPyConnection, settings: Settings, ledger: Ledger, *, is_forgotten: bool
) -> str:
    """Fill the tables; return the state of the ledger that they show.

    Args:
        connection: a connection to the new warehouse, whose tables are empty.
        settings: the place of stages and archive, and what may be published.
        ledger: an open ledger.
        is_forgotten: whether `keep_forgotten` has found records that this ledger does not know.
    """
    with ledger.figures() as figures:
        shown = figures.position().text  # read before the rows: later changes do not count as shown
    calls = ledger.chunks()
    _fill(connection, CHUNKS, calls)
    with ledger.begin() as transaction:
        _fill(connection, RESOLUTIONS, resolutions(transaction))
    called = {call["dataset"] for call in calls}
    for name in PUSHED:
        if name in called or stage_path(settings, name).exists():
            insert_records(connection, name, settings, ledger)
    if find_named(connection, settings, called) or is_forgotten:
        restore_forgotten(connection, Privacy.of(settings))
    with ledger.figures() as figures:
        known = figures.calls_on_record()
    note_published(connection, settings, known)
    return shown


@contextmanager
def outcomes_published(settings: Settings, ledger: Ledger) -> Iterator[None]:
    """Publish the outcomes when the block ends, even if the push failed.

    Raises:
        StorageError: publishing failed. Rows may be in the account already: the error says how many were sent, and
            quotes the push's own failure, which it would hide otherwise.
    """
    seen = {name: ledger.last_chunk(name) for name in PUSHED}
    failed: TracklySyncError | None = None
    try:
        yield
    except TracklySyncError as error:
        failed = error
        raise
    finally:
        try:
            publish_imports(settings)
        except TracklySyncError as error:
            before = f"{failed.message} " if failed else ""
            raise StorageError(
                f"{before}{_sent_text(ledger, seen)} The warehouse was not rebuilt: {error.message}",
                error.remedy,
            ) from error


def _fill(connection: duckdb.DuckDBPyConnection, dataset: Dataset, records: Sequence[dict[str, Any]]) -> None:
    """Insert the rows of one of the ledger's small tables."""
    if not records:
        return
    names = ", ".join(dataset.columns)
    values = ", ".join(
        sql_amount(field.name) if field.kind is Kind.MONEY else field.name for field in dataset.fields
    )
    rows = pa.table({name: [record[name] for record in records] for name in dataset.columns})
    connection.register("incoming", rows)
    connection.execute(f"INSERT INTO imports.{dataset.name} ({names}) SELECT {values} FROM incoming")
    connection.unregister("incoming")


def _sent_text(ledger: Ledger, seen: Mapping[str, int]) -> str:
    """Return a sentence with the number of rows sent since some calls; without a number if the ledger is unreadable.

    Args:
        ledger: an open ledger.
        seen: by dataset, the number of the last call before.
    """
    try:
        with ledger.begin() as transaction:
            sent = [sent_after(transaction, name, ledger.part, seen[name]).values() for name in seen]
    except StorageError:
        return "What was sent is in the ledger, and is not sent again."
    rows = sum(map(sum, sent))
    if not rows:
        return "Nothing was sent."
    return (
        f"{plural(rows, 'row was', 'rows were')} sent; the ledger has each of them, and none is sent again."
    )
