"""Redacts a stage after its rows were sent, if phones are hashed: it keeps only what schema `imports` needs.

Sending needs the phone numbers, so a stage holds them from the intake until its dataset was sent. Then the stage is
rewritten: `audit.publish` still finds every row, its file and its verdict. Another push rebuilds the stage from the
files. What does not belong here: the hash itself (`pipelines.privacy`).
"""

import os
from pathlib import Path

import duckdb

from pipelines.databases.duckdb_instances import beside
from pipelines.errors import StorageError
from pipelines.privacy import Privacy
from pipelines.push.stage.database import discard, opened
from pipelines.storage import storage_errors
from schemas.columns import Dataset, Field, Kind
from schemas.derived.tables import literal
from schemas.values.phones import E164, like_a_number

_PHONES = ("to_number", "phone_number")
_IDS = ("id", "message_id", "record_id", "offer_id")
"""Texts that identify rows: only a number in E.164 is masked in them."""

_NUMBER = like_a_number(r"\p{N}")

_SHORTEST = 1_000_000
"""Numbers from here on have seven digits or more and may be phone numbers."""


def put_away(path: Path, dataset: Dataset, privacy: Privacy) -> None:
    """Rewrite a stage without personal data; do nothing if phone numbers may be kept.

    Args:
        path: the stage.
        dataset: the dataset of the stage.
        privacy: what may be kept.

    Raises:
        StorageError: the disk refused; the stage is unchanged.
    """
    if not privacy.key or not path.exists():
        return
    draft = path.with_name(f".{path.name}.building")
    with storage_errors("write", path), opened(path, privacy) as connection:
        discard(draft)
        try:
            if is_put_away(connection):
                return
            with beside(connection, draft, "draft", ""):
                for table in ("version", "files", "inputs", "verdicts", "ordinals", "corrected", "differing"):
                    connection.execute(f"CREATE TABLE draft.{table} AS FROM {table}")
                kept, digest = kept_columns(dataset, privacy), "NULL::BIGINT AS content"
                connection.execute(
                    f"CREATE TABLE draft.input AS SELECT * REPLACE ({kept}, {digest}) FROM input"
                )
            os.replace(draft, path)  # noqa: PTH105 - the atomic step, under its usual name
        finally:
            discard(draft)


def hold_ready(connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Raise if the stage was redacted.

    Raises:
        StorageError: the stage was redacted, so its rows cannot be sent.
    """
    if is_put_away(connection):
        raise StorageError(
            f"The history of {dataset} was sent, and its phone numbers were removed from the stage.",
            "Take it in again: trackly-sync push",
        )


def is_put_away(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the stage was redacted and holds hashes only."""
    there = "SELECT 1 FROM duckdb_views() WHERE view_name = 'ready' AND NOT internal"
    return connection.execute(there).fetchone() is None


def holds_phones(path: Path) -> bool:
    """Return whether a stage that no process has open holds phone numbers, or may do so because it is unreadable."""
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            return not is_put_away(connection)
    except duckdb.Error as error:
        return "lock on file" not in str(error)  # with this text another process has the stage open


def is_readable(path: Path) -> bool:
    """Return whether a stage can be opened and is of this version."""
    try:
        with opened(path):
            return True
    except StorageError:
        return False


def kept_columns(dataset: Dataset, privacy: Privacy, verdicts: str = "verdicts") -> str:
    """Return SQL for the columns of `input` that may hold personal data, each with what is kept of it.

    A quarantined row may hold a phone number anywhere and in any form: in a line that has too many columns, as the
    number of a list, or as an amount.

    Args:
        dataset: the dataset of the stage.
        privacy: what may be kept; the connection has its macros.
        verdicts: the name of the stage's table `verdicts` in the query.
    """
    bad = f"seq IN (SELECT seq FROM {verdicts} WHERE outcome = 'quarantined')"
    values = ", ".join(f"{literal(name)}: {_kept_text(name)}" for name in dataset.columns)
    line = "raw->>'$'"  # a JSON string holds the text of a line
    raw = (
        f"CASE WHEN json_type(raw) = 'VARCHAR' THEN CAST(to_json({_form(line)}) AS VARCHAR)"
        f" WHEN raw IS NOT NULL OR {bad} THEN CAST(to_json({{{values}}}) AS VARCHAR) END AS raw"
    )
    kept = {field.name: _kept(field, bad, privacy) for field in dataset.fields}
    return ", ".join([raw, *(f"{value} AS {name}" for name, value in kept.items() if value)])


def _kept(field: Field, bad: str, privacy: Privacy) -> str:
    """Return SQL for what is kept of a column; empty if it holds no personal data.

    Args:
        field: the field of the column.
        bad: an SQL condition that is true for quarantined rows.
        privacy: whether messages are kept.
    """
    name = field.name
    if name in _PHONES:
        return f"kept_phone({name})"
    if name == "list_number":
        return f"CASE WHEN NOT {bad} THEN list_number END"
    if name == "message":
        text = f"CASE WHEN NOT {bad} THEN regexp_replace(message, '{_NUMBER}', '(number)', 'g') END"
        return text if privacy.keep_messages else "NULL::VARCHAR"
    if field.kind is Kind.TEXT and name not in _IDS:
        return _without_number(name)
    if field.kind in (Kind.INTEGER, Kind.MONEY):
        return f"CASE WHEN NOT {bad} OR abs({name}) < {_SHORTEST} THEN {name} END"
    return ""


def _kept_text(name: str) -> str:
    """Return SQL for what `raw` keeps of a field: of the text as read if there is one, else of the value."""
    text = f"CASE WHEN raw IS NULL THEN CAST({name} AS VARCHAR) ELSE raw->>{literal(name)} END"
    if name in _PHONES:
        number = f"regexp_full_match({text}, '{E164}')"
        return f"CASE WHEN {number} THEN kept_phone({text}) ELSE {_form(text)} END"
    if name == "message":
        return "NULL::VARCHAR"
    if name in _IDS:
        return f"regexp_replace({text}, '{E164}', '(phone)', 'g')"
    return _without_number(text)


def _without_number(text: str) -> str:
    """Return SQL for a text, or for its form only if it may hold a phone number."""
    return f"CASE WHEN regexp_matches({text}, '{_NUMBER}') THEN {_form(text)} ELSE {text} END"


def _form(text: str) -> str:
    """Return SQL for the form of a text: letters as x, digits as 9, as `offending.shown` masks values."""
    return f"regexp_replace(regexp_replace({text}, '\\p{{L}}', 'x', 'g'), '\\p{{N}}', '9', 'g')"
