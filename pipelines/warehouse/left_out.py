"""Rows that were left out, quarantined by a pull or left out by a push, each with its reason.

This module reads only published data. What does not belong here: rows of other outcomes, and printing.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from pipelines.warehouse.published import has_table
from pipelines.warehouse.swap import reading
from schemas.values.outcomes import LEFT_OUT, Outcome, sql_list

DIFFERS, CONFLICT = "differs", "conflict"
"""Two values of --outcome that are not outcomes.

Rows that differ from what was sent and were not acknowledged, and quarantined rows with this code.
"""

OUTCOMES = (*LEFT_OUT, DIFFERS)
COLUMNS = (
    "activity", "dataset", "outcome", "code", "reason", "identity", "chunk", "file", "line", "row", "snapshot",
    "page", "at", "message_id", "raw",
)  # fmt: skip
"""The columns of a row. `raw` is the row as it was read, for quarantined and rejected rows; it is personal data."""

COMMON_REASON = (
    f"CASE WHEN outcome = '{Outcome.IN_DOUBT}' AND count(DISTINCT reason) > 1"
    " THEN concat_ws('; ', CASE WHEN count(DISTINCT regexp_extract(reason, '^[^:;]*')) = 1"
    " THEN min(regexp_extract(reason, '^[^:;]*')) END, 'each row has its own evidence: trackly-sync resolve')"
    " ELSE min(reason) END"
)
"""The reason of rows of one code, in SQL that groups by code and `outcome`."""

_DIFFERS = "the account holds what was sent, and the file says something else by now"
_QUOTED = ", ".join(f'"{name}"' for name in COLUMNS)  # some are keywords of DuckDB
_AT = "strftime({} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS \"at\""
_BATCH_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Reason:
    """The number of rows that were left out for one reason."""

    activity: str
    dataset: str
    outcome: str
    code: str
    reason: str
    rows: int


class LeftOut:
    """The rows of some datasets that were left out, in one state of the warehouse; see `left_out`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, query: str) -> None:
        self._connection, self._query = connection, query

    def reasons(self, most: int) -> list[Reason]:
        """Return the reasons with their numbers of rows, the most frequent first.

        The API's text may differ from row to row, but its code does not. So rows with a code have one reason, with
        the text of one row. For rows in doubt the text is evidence with figures of the row; if it differs, only the
        common part is shown.

        Args:
            most: the most reasons to return, since every row may have its own reason.
        """
        found = self._connection.execute(
            f"SELECT activity, dataset, outcome, coalesce(code, '') AS code, coalesce({COMMON_REASON}, '') AS reason,"
            f" count(*) AS rows FROM ({self._query})"
            " GROUP BY activity, dataset, outcome, code, CASE WHEN code IS NULL THEN reason END"
            " ORDER BY rows DESC, activity, dataset, outcome, code, reason LIMIT ?",
            [most],
        ).fetchall()
        return [Reason(*row) for row in found]

    @cached_property
    def counts(self) -> dict[tuple[str, str], int]:
        """Return the numbers of rows by activity and outcome."""
        found = self._connection.execute(
            f"SELECT activity, outcome, count(*) FROM ({self._query}) GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        return {(activity, outcome): rows for activity, outcome, rows in found}

    def of_pushes(self) -> int:
        """Return the number of rows that a push left out."""
        return sum(rows for (activity, _), rows in self.counts.items() if activity == "push")

    def rows(self, most: int | None = None) -> Iterator[tuple[Any, ...]]:
        """Yield rows with COLUMNS, in the order of imports.records; do not use the connection meanwhile.

        Rows are not sorted, so they are streamed and need little memory.

        Args:
            most: the most rows to yield.
        """
        limit = "" if most is None else f" LIMIT {most}"
        cursor = self._connection.execute(f"SELECT {_QUOTED} FROM ({self._query}){limit}")
        while batch := cursor.fetchmany(_BATCH_ROWS):
            yield from batch


@contextmanager
def left_out(
    warehouse: Path, pulled: Collection[str], pushed: Collection[str], outcomes: Collection[str] = OUTCOMES
) -> Iterator[LeftOut]:
    """Yield the rows that were left out, as of one moment.

    Args:
        warehouse: the file.
        pulled: datasets whose quarantined rows to include.
        pushed: datasets whose rows of the current history input to include.
        outcomes: the outcomes to include.

    Raises:
        StorageError: there is no warehouse yet, or it cannot be read.
    """
    with reading(warehouse) as connection:
        parts = [_none()]
        if "quarantined" in outcomes:
            parts += [_of_pull(name) for name in pulled if has_table(connection, "quarantine", name)]
        if pushed and has_table(connection, "imports", "records"):
            described = connection.execute("DESCRIBE imports.records").fetchall()
            columns = {str(row[0]) for row in described}
            parts.append(_of_push(pushed, outcomes, columns))
        yield LeftOut(connection, " UNION ALL BY NAME ".join(parts))


def _none() -> str:
    """Return a query with every column and no row, since the other parts may lack columns."""
    types = dict.fromkeys(("chunk", "line", "row", "page"), "BIGINT")
    columns = (f'CAST(NULL AS {types.get(name, "VARCHAR")}) AS "{name}"' for name in COLUMNS)
    return f"(SELECT {', '.join(columns)} LIMIT 0)"


def _of_pull(name: str) -> str:
    return (
        f"(SELECT 'pull' AS activity, '{name}' AS dataset, 'quarantined' AS outcome, reason, snapshot, page, "
        f"{_AT.format('synced_at')}, raw::VARCHAR AS raw FROM quarantine.{name})"
    )


def _of_push(names: Collection[str], outcomes: Collection[str], columns: Collection[str]) -> str:
    """Return a query for rows of imports.records, which an older version may have written without some columns."""
    differs = "coalesce(differs, false)" if "differs" in columns else "false"
    if "differs_acknowledged" in columns:
        differs = f"({differs} AND NOT coalesce(differs_acknowledged, false))"
    line = "line" if "line" in columns else "CAST(NULL AS BIGINT)"
    wanted = [f"outcome IN {sql_list(outcomes)}"]
    if CONFLICT in outcomes:
        wanted.append(f"code = '{CONFLICT}'")
    if DIFFERS in outcomes:
        wanted.append(differs)
    return (
        "(SELECT 'push' AS activity, dataset, code,"
        f" CASE WHEN {differs} THEN '{DIFFERS}' ELSE outcome END AS outcome,"
        f" CASE WHEN {differs} THEN '{_DIFFERS}' ELSE reason END AS reason,"
        f' identity, chunk, file, {line} AS line, "row", '
        f"{_AT.format('records.at')}, message_id, raw::VARCHAR AS raw FROM imports.records "
        f"WHERE in_input AND dataset IN {sql_list(names)} AND ({' OR '.join(wanted)}))"
    )
