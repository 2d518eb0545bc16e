"""Rows that are in the account and say something else in their file by now; those that a person has seen are marked.

The account keeps what it was given first, so that nothing can be done about them but know it. What a person has seen
is kept in the ledger by what the row says: another change is new. What does not belong here: rows that are not in the
account (`validate`, `revenue.same_rows`), and the ledger's tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.decisions import Differing, acknowledged
from pipelines.push.values.content_digest import changed, kept_content
from pipelines.warehouse.structure.tables import insert
from schemas.columns import Dataset
from schemas.values.outcomes import IN_ACCOUNT, sql_list


@dataclass(frozen=True, slots=True)
class DifferingRow:
    """A row that differs, and where it stands.

    Attributes:
        dataset: what it is of.
        identity: what it is known by.
        file: the file.
        row: its place in it, from 1, the header not counted.
        line: the line that it begins in; None where the file has none.
        acknowledged: whether a person has seen it.
        fields: in which fields it is another than was sent; empty where that is not known.
    """

    dataset: str
    identity: str
    file: str
    row: int
    line: int | None
    acknowledged: bool
    fields: tuple[str, ...] = ()


def find(connection: duckdb.DuckDBPyConnection, dataset: Dataset, ledger: Ledger | None) -> None:
    """Fill the stage's table `differing`, by `known` (see `checks.compare`); its `content` is of the file's row.

    Args:
        connection: the stage's, with the table `known`.
        dataset: what it holds.
        ledger: None where there is none yet.
    """
    connection.execute("DELETE FROM differing")
    if connection.execute("SELECT 1 FROM known WHERE content IS NOT NULL LIMIT 1").fetchone() is None:
        return  # a first push has nothing to compare with
    now = kept_content(dataset)
    connection.execute(
        f"INSERT INTO differing SELECT seq, ready.identity, {now}, false"
        " FROM ready JOIN known ON known.identity = ready.identity"
        f" WHERE known.outcome IN {sql_list(IN_ACCOUNT)} AND known.content IS NOT NULL"
        f" AND {changed('known.content', now)}"
    )
    if ledger is None or connection.execute("SELECT 1 FROM differing LIMIT 1").fetchone() is None:
        return
    connection.execute("CREATE OR REPLACE TEMP TABLE seen (identity VARCHAR, content BIGINT)")
    for rows in acknowledged(ledger, dataset.name):
        insert(connection, "seen", rows)
    connection.execute(
        "UPDATE differing SET acknowledged = true FROM seen"
        " WHERE seen.identity = differing.identity AND seen.content = differing.content"
    )


def differing_in(connection: duckdb.DuckDBPyConnection, dataset: str) -> list[DifferingRow]:
    """Every row of a stage that differs, in the order of the input."""
    found = connection.execute(
        "SELECT identity, path, row, line, acknowledged FROM differing JOIN input USING (seq) JOIN files USING (file)"
        " ORDER BY seq"
    ).fetchall()
    return [DifferingRow(dataset, *row) for row in found]


def unseen(connection: duckdb.DuckDBPyConnection) -> Sequence[Differing]:
    """The rows of a stage that differ and that nobody has acknowledged."""
    found = connection.execute(
        "SELECT DISTINCT identity, content FROM differing WHERE NOT acknowledged ORDER BY identity"
    ).fetchall()
    return [Differing(*row) for row in found]


def mark_seen(connection: duckdb.DuckDBPyConnection) -> None:
    """Mark all rows of a stage that differ as acknowledged."""
    connection.execute("UPDATE differing SET acknowledged = true")
