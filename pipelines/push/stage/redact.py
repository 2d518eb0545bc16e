"""A stage once its rows were sent, where phones are to be hashed: what schema imports needs, nothing personal.

Sending needs phone numbers as they are, so a stage holds them from the intake until its dataset was sent. Then it is
rewritten: `audit.publish` still finds every row, its file, its verdict and what is known of it. Another
push rebuilds it from the files. What does not belong here: the hash itself (`pipelines.privacy`).
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
"""Texts that rows are found by: only a number in E.164 is masked in them."""

_NUMBER = like_a_number(r"\p{N}")

_SHORTEST = 1_000_000
"""A number from here on has seven digits and may be somebody's."""


def put_away(path: Path, dataset: Dataset, privacy: Privacy) -> None:
    """Rewrite a stage without personal data; nothing where phone numbers may be kept.

    Args:
        path: the stage.
        dataset: what it holds.
        privacy: what may be kept.

    Raises:
        StorageError: the disk refused; the stage is as it was.
    """
    if not privacy.key or not path.exists():
        return
    draft = path.with_name(f".{path.name}.building")
    with storage_errors("write", path), opened(path) as connection:
        discard(draft)
        try:
            if is_put_away(connection):
                return
            privacy.define(connection)
            with beside(connection, draft, "draft", ""):
                for table in ("version", "files", "inputs", "verdicts", "ordinals", "corrected", "differing"):
                    connection.execute(f"CREATE TABLE draft.{table} AS FROM {table}")
                kept, digest = kept_columns(dataset, privacy), "NULL::BIGINT AS content"
                connection.execute(
                    f"CREATE TABLE draft.input AS SELECT * REPLACE ({kept}, {digest}) FROM input"
                )
            os.replace(draft, path)  # noqa: PTH105 - the atomic step, by its own name
        finally:
            discard(draft)


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
    except duckdb.Error as error:
        return "lock on file" not in str(error)  # else another process has it open


def is_readable(path: Path) -> bool:
    """Whether a stage can be opened, and is of this version."""
    try:
        with opened(path):
            return True
    except StorageError:
        return False


def kept_columns(dataset: Dataset, privacy: Privacy, verdicts: str = "verdicts") -> str:
    """The columns of `input` that may hold something personal, each as what is kept of it.

    A row that is quarantined may hold a phone number anywhere: in a line that has too many columns, as the number of
    a list, as an amount, and in whatever form people write it.

    Args:
        dataset: what the stage holds.
        privacy: whose macros the connection has.
        verdicts: the stage's table of that name, as the query finds it.
    """
    bad = f"seq IN (SELECT seq FROM {verdicts} WHERE outcome = 'quarantined')"
    values = ", ".join(f"{literal(name)}: {_kept_text(name)}" for name in dataset.columns)
    line = "raw->>'$'"  # where it is a JSON string, it is the text of a line
    raw = (
        f"CASE WHEN json_type(raw) = 'VARCHAR' THEN CAST(to_json({_form(line)}) AS VARCHAR)"
        f" WHEN raw IS NOT NULL OR {bad} THEN CAST(to_json({{{values}}}) AS VARCHAR) END AS raw"
    )
    kept = {field.name: _kept(field, bad, privacy) for field in dataset.fields}
    return ", ".join([raw, *(f"{value} AS {name}" for name, value in kept.items() if value)])


def _kept(field: Field, bad: str, privacy: Privacy) -> str:
    """What is kept of a column, as SQL; empty where it holds nothing personal.

    Args:
        field: the column.
        bad: whether the row is quarantined, as a condition.
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
    """What is kept in `raw` of one field: of the text as it was read, where there is one."""
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
    """A text, of which only the form is kept where it holds what may be a phone number."""
    return f"CASE WHEN regexp_matches({text}, '{_NUMBER}') THEN {_form(text)} ELSE {text} END"


def _form(text: str) -> str:
    """The form of a text: letters as x, digits as 9, as `offending.shown` masks values."""
    return f"regexp_replace(regexp_replace({text}, '\\p{{L}}', 'x', 'g'), '\\p{{N}}', '9', 'g')"
