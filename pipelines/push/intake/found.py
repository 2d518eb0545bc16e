"""What an intake found in the files of a dataset: counts, reasons, a preview, and advice about the files.

What does not belong here: findings about single files, for the plan (`pipelines.push.findings`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from pipelines.push.checks.compared import Compared
from pipelines.push.checks.conflicts import two_numberings
from pipelines.push.checks.revenue.same_rows import number_decided
from pipelines.push.files.find import Source
from pipelines.push.findings.files import equal_files
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.sums import reasons
from pipelines.push.outcomes import Outcome
from pipelines.push.parse.facts import EMPTY
from pipelines.push.stage.decimal_sign_of_file import files_of_doubtful_thousands
from schemas.columns import Dataset

_PREVIEW_ROWS = 5
MOST_REASONS = 20
"""Most reasons that are shown for one dataset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What an intake found.

    Attributes:
        dataset: its name.
        files: the files that were read.
        rows_in: rows in them, malformed lines included.
        quarantined: rows that are wrong in themselves.
        duplicate: rows that the input repeats.
        parked: rows whose send is not in the account (yet).
        known: rows that have a call or an outcome in the ledger.
        pending: rows that are new and ready to be sent.
        reasons: the 20 most frequent reasons for which rows are held back, with the number of rows.
        preview: a few rows that are ready, without texts and phone numbers.
        advice: what is odd about the files as a whole, and what to do about it.
        decided: how many kinds of held revenue were decided about now.
    """

    dataset: str
    files: tuple[Path, ...] = ()
    rows_in: int = 0
    quarantined: int = 0
    duplicate: int = 0
    parked: int = 0
    known: int = 0
    pending: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    preview: tuple[dict[str, Any], ...] = ()
    advice: tuple[str, ...] = ()
    decided: int = 0


def found_in(compared: Compared, dataset: Dataset, sources: Sequence[Source]) -> Intake:
    """Return what an intake found, from a compared stage.

    Args:
        compared: the stage.
        dataset: the dataset of the stage.
        sources: the files that it was built from, in order.
    """
    if not sources:
        return Intake(dataset=dataset.name)
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
        reasons=held_reasons(connection) if held else {},
        preview=tuple(dict(zip(shown, row, strict=True)) for row in rows),
        advice=tuple(_advice(connection, dataset, [source.path for source in sources])),
        decided=number_decided(connection) if dataset.name == REVENUE else 0,
    )


def _advice(connection: duckdb.DuckDBPyConnection, dataset: Dataset, paths: Sequence[Path]) -> Iterator[str]:
    empty = "SELECT file FROM files WHERE list_contains(notes, ?) ORDER BY file"
    for (number,) in connection.execute(empty, [EMPTY]).fetchall():
        if not paths[number].name.startswith("part-"):  # Spark writes empty part files
            yield f"{paths[number].name} is empty: export it again, or remove it."
    for one, two in equal_files([path for path in paths if path.stat().st_size]):
        yield f"{one.name} and {two.name} are equal, byte for byte: remove one of them."
    for number in files_of_doubtful_thousands(connection, dataset):
        yield f"amounts of {paths[number].name} have three digits after the point: are they thousands?"
    if len(paths) == 1:
        return
    key = dataset.key[0]
    for first, second in two_numberings(connection):
        yield (
            f"{paths[first].name} and {paths[second].name} use the same {key} for different rows, as two exports "
            f"do that both number from 1. Add a prefix to the keys of one in a .sql file: "
            f"SELECT 'b-' || {key} AS {key}, * EXCLUDE ({key}) FROM …; rows that refer to them need the same prefix."
        )


def held_reasons(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the reasons for which rows of a stage are held back: "outcome: reason" and rows, most frequent first."""
    found = connection.execute(
        "SELECT outcome || ': ' || reason, count(*) AS rows FROM verdicts GROUP BY ALL ORDER BY rows DESC, 1 LIMIT ?",
        [MOST_REASONS],
    ).fetchall()
    return dict(found)


def all_reasons(connection: duckdb.DuckDBPyConnection, name: str, ledger: Ledger) -> dict[str, int]:
    """Return reasons for which rows were left out, with their number: those of the stage, then those of calls.

    Args:
        connection: the stage.
        name: the dataset of the stage.
        ledger: the ledger, with the outcomes of calls.
    """
    with ledger.begin() as transaction:
        return held_reasons(connection) | reasons(transaction, name, MOST_REASONS)
