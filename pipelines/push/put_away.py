"""A stage once its rows were sent, where phone numbers are to be hashed: what the books need, and nothing personal.

Sending needs phone numbers as they are, so a stage holds them from the intake until its dataset was sent. Then it is
rewritten: the books (`publish`) still find every row, its file, its verdict and what is known of it. Another push
rebuilds it from the files. What does not belong here: the hash itself (`pipelines.privacy`).
"""

import os
from pathlib import Path

import duckdb

from pipelines.errors import StorageError
from pipelines.privacy import Privacy
from pipelines.push.stage import discard, opened
from pipelines.storage import storage_errors
from schemas.columns import Dataset
from schemas.tables import literal

_PHONES = ("to_number", "phone_number")
_MASKED = "regexp_replace({0}, '\\+[1-9][0-9]{{6,14}}', '(phone)', 'g')"


def put_away(path: Path, dataset: Dataset, privacy: Privacy) -> None:
    """Rewrite a stage without personal data; nothing where phone numbers may be kept.

    Raises:
        StorageError: the disk refused; the stage is as it was.
    """
    if not privacy.key or not path.exists():
        return
    aside = path.with_name(f".{path.name}.building")
    with storage_errors("write", path), opened(path) as connection:
        discard(aside)
        try:
            if is_put_away(connection):
                return
            privacy.define(connection)
            connection.execute(f"ATTACH {literal(str(aside))} AS aside")
            for table in ("version", "files", "inputs", "verdicts", "ordinals", "differing"):
                connection.execute(f"CREATE TABLE aside.{table} AS FROM {table}")
            connection.execute(f"CREATE TABLE aside.input AS SELECT * REPLACE ({_kept(dataset)}) FROM input")
            connection.execute("DETACH aside")
            os.replace(aside, path)  # noqa: PTH105 - the atomic step, by its own name
        finally:
            discard(aside)


def hold_ready(connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Refuse a stage that was put away.

    Raises:
        StorageError: its rows cannot be sent any more.
    """
    if is_put_away(connection):
        raise StorageError(
            f"The history of {dataset} that was taken in has been sent, and its phone numbers are put away.",
            "Take it in again: trackly-sync push",
        )


def is_put_away(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the stage holds hashes only."""
    there = "SELECT 1 FROM duckdb_views() WHERE view_name = 'ready' AND NOT internal"
    return connection.execute(there).fetchone() is None


def holds_phones(path: Path) -> bool:
    """Whether a stage that nobody uses holds phone numbers as they are, or cannot be read, so that it may."""
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            return not is_put_away(connection)
    except duckdb.IOException as error:
        return "lock on file" not in str(error)  # else another process has it open
    except duckdb.Error:
        return True


def is_readable(path: Path) -> bool:
    """Whether a stage can be opened, and is of this version."""
    try:
        with opened(path):
            return True
    except StorageError:
        return False


def _kept(dataset: Dataset) -> str:
    """The columns of `input` that may hold something personal, each as what is kept of it.

    A row that was set aside may hold a phone number anywhere: in a line that has too many columns, or where a list's
    number should be.
    """
    bad = "seq IN (SELECT seq FROM verdicts WHERE outcome = 'quarantined')"
    values = ", ".join(
        f"{literal(name)}: {f'kept_phone({name})' if name in _PHONES else f'CAST({name} AS VARCHAR)'}"
        for name in dataset.columns
    )
    raws = [f"'{name}', kept_phone(raw->>'{name}')" for name in _PHONES if name in dataset.columns]
    patched = f"json_merge_patch(raw::JSON, json_object({', '.join(raws)}))" if raws else "raw"
    masked = _MASKED.format(f"CAST({patched} AS VARCHAR)")
    whole = _MASKED.format(f"CAST(to_json({{{values}}}) AS VARCHAR)")
    kept = [
        f"CASE WHEN json_type(raw) = 'OBJECT' THEN {masked} WHEN raw IS NULL AND {bad} THEN {whole} END AS raw"
    ]
    for name in dataset.columns:
        if name in _PHONES:
            kept.append(f"kept_phone({name}) AS {name}")
        elif name == "list_number":
            kept.append(f"CASE WHEN NOT {bad} THEN list_number END AS list_number")
        elif name == "message":
            kept.append("NULL::VARCHAR AS message")
    return ", ".join(kept)
