"""The archive: what history files say about the rows that are sent, as Parquet in `parquet/imports/<dataset>/`.

History files get deleted after they were sent, the API returns none of their data, and the next intake rebuilds the
stage. So a push writes the rows that it is about to send into a file of its own, before the first of them leaves. A
crash, other files in the next push, a ledger that is taken over and a rebuilt warehouse then lose nothing. The
archive is not in the ledger, which every push reads completely, nor in the warehouse alone, which can be made again.

    00000007-00000007.parquet    the rows that one push archived
    00000001-00000016.parquet    the rows of sixteen pushes, merged; files whose numbers it covers do not count

The archive has a row once for each content that was sent, by identity and by the digest that the ledger has too. If
settings say so, phone numbers are hashed and messages left out. What does not belong here: which rows really left,
and their outcomes (`ledger`, and the notes of `lost_ledger`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipelines.databases.duckdb_instances import attached
from pipelines.databases.parquet_files import write_parquet
from pipelines.errors import StorageError
from pipelines.privacy import Privacy
from pipelines.push.audit.archive.files import (
    FILES,
    archive_folder,
    archived,
    reading_archive,
    span,
    without_file,
)
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.stage.database import is_empty
from pipelines.push.stage.redact import kept_columns
from pipelines.push.values.content_digest import kept_content
from pipelines.settings import Settings
from pipelines.storage import private_folder, storage_errors, sync_file, sync_folder
from schemas.columns import Dataset
from schemas.derived.tables import TYPES, literal
from schemas.own_tables.imports import FACTS
from schemas.registry import PUSHED

_ROW_GROUP = 20_480  # rows; a row group is held in memory, and messages are long
_SMALL = 64_000_000  # bytes; a larger file is not merged again
_MANY = 16
"""Small files that are merged into one: daily pushes leave hundreds, and each has to be opened."""

NAMES_OF_FACTS = {"happened_at": ("timestamp",), "phone_number": ("to_number", "phone_number")}
"""Names of facts in history files, for facts that have another name there."""

_TYPE = {field.name: TYPES[field.kind] for field in FACTS}


def rows_of(files: Sequence[Path]) -> str:
    """Return SQL to select the rows of some files from: identity, content, file, and the facts."""
    names = ", ".join(literal(str(path)) for path in files)
    return f"read_parquet([{names}], union_by_name = true, filename = 'file')"


@contextmanager
def all_archived(settings: Settings, name: str) -> Iterator[str]:
    """Yield SQL to select all archived rows of a dataset from, inside the block; "" if nothing is archived.

    Args:
        settings: the place of the archive.
        name: the dataset.

    Raises:
        StorageError: the folder cannot be read, or in the block: a file is damaged.
    """
    files = archived(archive_folder(settings, name))
    with reading_archive(settings, (name,)):
        yield rows_of(files) if files else ""


def facts_by_name(dataset: Dataset, privacy: Privacy, table: str) -> dict[str, str]:
    """Return the facts as expressions for a stage's rows; null for facts that the dataset does not have.

    Args:
        dataset: the dataset of the stage.
        privacy: whether messages are kept; phone numbers are taken as they are in the table.
        table: the name of the table in the query.
    """
    return {field.name: _fact(field.name, dataset, privacy, table) for field in FACTS}


def published_facts(table: str, privacy: Privacy, **instead: str) -> str:
    """Return SQL for the facts of a table that was written earlier, as far as settings now allow to publish them.

    Args:
        table: the name of the table in the query.
        privacy: what may be published.
        instead: by fact, other SQL for it.
    """
    kept = {
        "phone_number": f"CASE WHEN {table}.phone_number LIKE '+%' THEN kept_phone({table}.phone_number)"
        f" ELSE {table}.phone_number END",
        "message": f"{table}.message" if privacy.keep_messages else "NULL",
        **instead,
    }
    return ", ".join(f"{kept.get(field.name, f'{table}.{field.name}')} AS {field.name}" for field in FACTS)


def keep(connection: duckdb.DuckDBPyConnection, name: str, settings: Settings) -> int:
    """Archive the rows of a stage that are not archived yet, before they are sent.

    Rows that an earlier version sent are archived too, as long as they are in the input.

    Args:
        connection: the stage, compared with the ledger, with the macros of `Privacy.define`.
        name: the dataset of the stage.
        settings: the place of the archive, and what may be kept.

    Returns:
        The number of new rows.

    Raises:
        StorageError: the disk refused; the archive is unchanged, and no row may be sent.
    """
    folder = archive_folder(settings, name)
    with storage_errors("write", folder), reading_archive(settings, (name,)):
        private_folder(folder)
        files = archived(folder)
        _clean(folder, files)
        number = span(files[-1])[1] + 1 if files else 1
        query = _new_rows(PUSHED[name], files, Privacy.of(settings))
        new = 0 if is_empty(connection) else _write(connection, query, folder, number, number)
        _merge(connection, folder)
    return new


def refuse_damaged(settings: Settings, datasets: Sequence[str]) -> None:
    """Raise unless the archives of a push can be read, before any row is sent.

    For sends and clicks, which may be sent twice, only the ends of the files are checked.

    Args:
        settings: the place of the archive.
        datasets: names out of PUSHED.

    Raises:
        StorageError: a file is damaged, or the folder cannot be read.
    """
    there = [name for name in datasets if archived(archive_folder(settings, name))]
    if not there:
        return
    with attached(None, "archive") as connection:
        for name in there:
            with all_archived(settings, name) as rows:
                most = "" if name == REVENUE else " LIMIT 0"
                # DuckDB reads only columns that are used, and none for results that follow from statistics
                read_all = "bit_xor(hash(identity)), bit_xor(hash(content))"
                ((without_identity, *_),) = connection.execute(
                    f"SELECT min(file) FILTER (identity IS NULL), {read_all}"
                    f" FROM (SELECT identity, content, file FROM {rows}{most})"
                ).fetchall()
                if without_identity:
                    path = Path(without_identity)
                    raise StorageError(
                        f"{path} is damaged: it has rows without identity.", without_file(path)
                    )


def _fact(name: str, dataset: Dataset, privacy: Privacy, table: str) -> str:
    column = next((own for own in NAMES_OF_FACTS.get(name, (name,)) if own in dataset.columns), None)
    if column is None or (name == "message" and not privacy.keep_messages):
        return f"NULL::{_TYPE[name]}"
    return f"{table}.{column}"


def _new_rows(dataset: Dataset, files: Sequence[Path], privacy: Privacy) -> str:
    """Return a query for the rows to archive; digests are made first, because they are of the API's values."""
    rows = f"SELECT * REPLACE ({kept_content(dataset)} AS content) FROM ready"
    if privacy.key:
        rows = f"SELECT * REPLACE ({kept_columns(dataset, privacy)}) FROM ({rows})"
    there = (
        f" ANTI JOIN {rows_of(files)} AS there"
        " ON there.identity = new.identity AND there.content = new.content"
        if files
        else ""
    )
    facts = ", ".join(f"{fact} AS {name}" for name, fact in facts_by_name(dataset, privacy, "new").items())
    return (
        f"SELECT identity, content, {facts} FROM ({rows}) AS new"
        # in a push of one month, new rows of other months are in `known` without a call
        " ANTI JOIN known ON known.chunk IS NULL AND known.identity = new.identity"
        f"{there}"
        " WHERE seq NOT IN (SELECT seq FROM differing)"  # the account was sent other values
    )


def _write(connection: duckdb.DuckDBPyConnection, query: str, folder: Path, first: int, last: int) -> int:
    """Write a file with the rows of a query, completely or not at all; no file if there are no rows.

    Args:
        connection: the connection of the query.
        query: its columns are those of the archive.
        folder: the folder of the file.
        first: the lowest number that the file covers.
        last: the highest number.

    Returns:
        The number of rows.
    """
    draft = folder / f".{last:08}.building"
    try:
        rows = write_parquet(connection, query, draft, f"ROW_GROUP_SIZE {_ROW_GROUP}")
        if rows:
            sync_file(draft)
            draft.replace(folder / f"{first:08}-{last:08}.parquet")
            sync_folder(folder)
    finally:
        draft.unlink(missing_ok=True)
    return rows


def _merge(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Merge the newest files if many of them are small; the next push removes the files that were merged."""
    small: list[Path] = []
    for path in reversed(archived(folder)):
        if path.stat().st_size > _SMALL:
            break
        small.insert(0, path)
    if len(small) >= _MANY:
        facts = ", ".join(field.name for field in FACTS)
        query = f"SELECT identity, content, {facts} FROM {rows_of(small)}"
        _write(connection, query, folder, span(small[0])[0], span(small[-1])[1])


def _clean(folder: Path, files: Sequence[Path]) -> None:
    """Remove files that a killed push left, and files that were merged, which no process reads any more."""
    for path in (*folder.glob(".*.building"), *folder.glob(FILES)):
        if path not in files:
            path.unlink()
