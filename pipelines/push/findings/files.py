"""What was found in each file of an input: how it was read, its times, and the outcomes of its rows, with reasons.

What does not belong here: what a push of the whole input would do (`plan`), and printing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from pipelines.push.findings.values import offending, shown_key
from pipelines.push.outcomes import Outcome
from pipelines.storage import storage_errors
from schemas.columns import Dataset
from schemas.derived.tables import literal

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Example:
    """A row that is held back, or differs from what was sent.

    Attributes:
        row: its number in the file, from 1, without the header.
        line: the line that it begins in; None if the file has no lines.
        key: its identity, if it could be read; only the form if it may be a person's number, address or name.
        values: the values that it is held back for.
        places: places of other rows that have to do with it.
    """

    row: int | None
    line: int | None
    key: str | None
    values: dict[str, str]
    places: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one file with the same outcome and the same reason."""

    outcome: str
    code: str
    reason: str
    rows: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file.

    Attributes:
        path: the file.
        format, compression, encoding, dialect: how it was read; "" if that does not apply.
        rows: its number of rows.
        first, last: the earliest and the latest time of its rows.
        zone_assumed: how many times had no zone and were taken for UTC.
        ignored: columns that match no field and are not sent.
        notes: what else a person should know.
        outcomes: rows by outcome.
        groups: rows that are held back, by reason; rows that differ from what was sent have outcome DIFFERS or
            ACKNOWLEDGED.
    """

    path: Path
    format: str
    compression: str
    encoding: str
    dialect: str
    rows: int
    first: datetime | None
    last: datetime | None
    zone_assumed: int
    ignored: tuple[str, ...]
    notes: tuple[str, ...]
    outcomes: dict[str, int]
    groups: tuple[Group, ...]


DIFFERS, ACKNOWLEDGED = "differs", "differs, acknowledged"
"""Our names here for rows in the account whose file now has other content; see `differing`."""

_DIFFERS = "differs from what was sent: the account holds what was sent first"


def found_files(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, examples: int | None, *, masked: bool
) -> tuple[FoundFile, ...]:
    """Return the findings for the files of a stage that was compared with the ledger.

    Args:
        connection: the stage.
        dataset: the dataset of the stage.
        examples: rows shown for each reason; None for all.
        masked: whether only the form of values is shown.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE fates AS SELECT i.seq, i.file,"
        " coalesce(v.outcome, k.outcome, 'pending') AS outcome,"
        " coalesce(v.code, '') AS code, v.reason, v.places FROM input AS i LEFT JOIN verdicts AS v USING (seq)"
        " LEFT JOIN ordinals AS o USING (seq) LEFT JOIN known AS k ON v.outcome IS NULL"
        " AND k.identity = CASE WHEN o.ordinal IS NULL THEN i.base ELSE i.base || ':' || o.ordinal END"
    )
    counts: dict[int, dict[str, int]] = {}
    for file, outcome, rows in connection.execute(
        "SELECT file, outcome, count(*) FROM fates GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        counts.setdefault(file, {})[outcome] = rows
    connection.execute(
        f"INSERT INTO fates SELECT seq, file, CASE WHEN acknowledged THEN '{ACKNOWLEDGED}' ELSE '{DIFFERS}' END,"
        f" '', {literal(_DIFFERS)}, NULL"
        " FROM input JOIN differing USING (seq)"
    )
    groups: dict[int, list[Group]] = {}
    for file, outcome, code, reason, rows in connection.execute(
        "SELECT file, outcome, code, reason, count(*) AS rows FROM fates WHERE reason IS NOT NULL"
        " GROUP BY ALL ORDER BY file, rows DESC, outcome, reason"
    ).fetchall():
        some = (
            ()
            if outcome == Outcome.DUPLICATE
            else _examples(connection, dataset, _Fate(file, outcome, reason), examples, masked)
        )
        groups.setdefault(file, []).append(Group(outcome, code, reason, rows, tuple(some)))
    return tuple(
        FoundFile(**facts, outcomes=counts.get(file, {}), groups=tuple(groups.get(file, ())))
        for file, facts in _facts(connection).items()
    )


def _facts(connection: duckdb.DuckDBPyConnection) -> dict[int, dict[str, Any]]:
    """Return the fields of FoundFile that describe a file as a whole, by file."""
    cursor = connection.execute(
        "SELECT f.file, path, coalesce(format, '') AS format, coalesce(compression, '') AS compression,"
        " coalesce(encoding, '') AS encoding, coalesce(dialect, '') AS dialect, count(i.seq) AS rows,"
        " min(i.timestamp) AS first, max(i.timestamp) AS last,"
        " coalesce(any_value(f.zone_assumed), 0) AS zone_assumed,"
        " coalesce(ignored, []) AS ignored, coalesce(notes, []) AS notes"
        " FROM files AS f LEFT JOIN input AS i USING (file) GROUP BY ALL ORDER BY f.file"
    )
    names = [column[0] for column in cursor.description or ()]
    found = {}
    for row in cursor.fetchall():
        facts = dict(zip(names, row, strict=True))
        number = facts.pop("file")
        facts |= {
            "path": Path(facts["path"]),
            "ignored": tuple(facts["ignored"]),
            "notes": tuple(facts["notes"]),
        }
        found[int(number)] = facts
    return found


class _Fate(NamedTuple):
    """What rows of a file have in common."""

    file: int
    outcome: str
    reason: str


def _examples(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    fate: _Fate,
    most: int | None,
    masked: bool,
) -> list[Example]:
    values = ", ".join(f"{literal(name)}: i.{name}" for name in dataset.columns)
    found = connection.execute(
        "SELECT i.row, i.line, i.base, f.places, CAST(coalesce(i.raw, to_json({" + values + "})) AS VARCHAR)"
        " FROM (SELECT seq, places FROM fates WHERE file = ? AND outcome = ? AND reason = ?"
        " ORDER BY seq LIMIT ?) AS f"
        " JOIN input AS i USING (seq) ORDER BY seq",
        [*fate, most if most is not None else 2**62],
    ).fetchall()
    return [
        Example(
            row,
            line,
            shown_key(key, masked=masked),
            offending(fate.reason, raw, dataset.columns, masked=masked),
            places,
        )
        for row, line, key, places, raw in found
    ]


def equal_files(paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Return pairs of files that are equal byte for byte; a file is read only if another has the same size.

    Raises:
        StorageError: one of the files cannot be read.
    """
    by_size: dict[int, list[Path]] = {}
    for path in paths:
        with storage_errors("read", path):
            by_size.setdefault(path.stat().st_size, []).append(path)
    found = []
    for some in by_size.values():
        if len(some) > 1:
            digests = {path: _digest(path) for path in some}
            found += [(one, two) for one, two in combinations(some, 2) if digests[one] == digests[two]]
    return found


def _digest(path: Path) -> str:
    digest = sha256()
    with storage_errors("read", path), path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
