"""Rows in the account whose file now has other content; those that a person has acknowledged are marked.

The account keeps what it was sent first, so all that can be done is to show these rows. The ledger keeps what was
acknowledged by the content of the row: another change counts as new. What does not belong here: rows that are not in
the account (`validate`, `revenue.same_rows`), and the ledger's tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow.compute as pc

from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.decisions import Differing, acknowledged
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.stage.database import is_any
from pipelines.push.values.content_digest import changed, kept_content
from pipelines.warehouse.structure.tables import insert
from schemas.columns import Dataset
from schemas.values.money import sql_units
from schemas.values.outcomes import IN_ACCOUNT, sql_list

_IS_OPEN = "seq NOT IN (SELECT seq FROM differing)"


@dataclass(frozen=True, slots=True)
class DifferingRow:
    """A row that differs from what was sent, and its place.

    Attributes:
        dataset: the dataset of the row.
        identity: the identity of the row.
        file: the file.
        row: its number in the file, from 1, without the header.
        line: the line that it begins in; None if the file has no lines.
        acknowledged: whether a person has acknowledged it.
        fields: the fields that differ from what was sent; empty if they are not known.
    """

    dataset: str
    identity: str
    file: str
    row: int
    line: int | None
    acknowledged: bool
    fields: tuple[str, ...] = ()


def find(connection: duckdb.DuckDBPyConnection, dataset: Dataset, ledger: Ledger | None) -> None:
    """Fill the stage's tables `corrected` and `differing` from `known` (see `checks.compare`).

    Args:
        connection: the connection of the stage, with the table `known`.
        dataset: the dataset of the stage.
        ledger: None if there is no ledger yet.
    """
    connection.execute("DELETE FROM corrected; DELETE FROM differing")
    if ledger is None or not is_any(connection, "known WHERE chunk IS NOT NULL"):
        return  # a first push has nothing to compare with
    connection.execute(
        "INSERT INTO corrected SELECT seq, identity, now, sent FROM"
        f" (SELECT seq, ready.identity, {kept_content(dataset)} AS now, known.content AS sent"
        " FROM ready JOIN known ON known.identity = ready.identity WHERE known.content IS NOT NULL)"
        f" WHERE {changed('sent', 'now')}"
    )
    if dataset.name == REVENUE:
        _compare_amounts(connection, dataset, ledger)
    connection.execute(f"INSERT INTO differing {_in_account('known')}")
    if not is_any(connection, "differing"):
        return
    connection.execute("CREATE OR REPLACE TEMP TABLE seen (identity VARCHAR, content BIGINT)")
    for rows in acknowledged(ledger, dataset.name):
        insert(connection, "seen", rows)
    connection.execute(
        "UPDATE differing SET acknowledged = true FROM seen"
        " WHERE seen.identity = differing.identity AND seen.content = differing.content"
    )


def find_answered(connection: duckdb.DuckDBPyConnection, dataset: str, ledger: Ledger) -> bool:
    """Make the temporary table `answered`, with the columns of `differing`; return whether it has rows.

    It has the rows of `corrected` that, since the comparison, turned out to be in the account as they were first
    sent.

    Args:
        connection: the connection of the stage, compared.
        dataset: the dataset of the stage.
        ledger: an open ledger, in its present state.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE answered AS FROM differing LIMIT 0;"
        "CREATE OR REPLACE TEMP TABLE outcomes_now (identity VARCHAR, outcome VARCHAR, content BIGINT)"
    )
    if not is_any(connection, f"corrected WHERE {_IS_OPEN}"):
        return False
    for rows in ledger_rows(ledger, dataset, ("identity", "outcome", "content"), every_part=True):
        insert(connection, "outcomes_now", rows)
    connection.execute(
        f"INSERT INTO answered {_in_account('outcomes_now')}"
        f" AND {changed('o.content', 'c.content')} AND {_IS_OPEN}"
    )
    return is_any(connection, "answered")


def add_answered(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the rows of `answered` to `differing`."""
    connection.execute("INSERT INTO differing FROM answered")


def _in_account(outcomes: str) -> str:
    """Return SQL for the rows of `corrected` that are in the account, as rows of `differing`; a condition may follow.

    Args:
        outcomes: the table with the outcomes of rows; its alias is `o`.
    """
    return (
        f"SELECT seq, c.identity, c.content, false FROM corrected AS c JOIN {outcomes} AS o"
        f" ON o.identity = c.identity WHERE o.outcome IN {sql_list(IN_ACCOUNT)}"
    )


def _compare_amounts(connection: duckdb.DuckDBPyConnection, dataset: Dataset, ledger: Ledger) -> None:
    """Add to `corrected` rows that the ledger has without a digest, if their amount or message has changed."""
    if not is_any(connection, "known WHERE chunk IS NOT NULL AND content IS NULL"):
        return
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE amounts (known_as VARCHAR, of_message VARCHAR, amount BIGINT)"
    )
    names = ["identity", "message_id", "amount"]
    for rows in ledger_rows(ledger, dataset.name, (*names, "content"), every_part=True):
        insert(connection, "amounts", rows.filter(pc.is_null(rows["content"])).select(names))
    connection.execute(
        f"INSERT INTO corrected SELECT seq, ready.identity, {kept_content(dataset)}, NULL"
        " FROM ready JOIN amounts ON known_as = ready.identity"
        f" WHERE amount <> {sql_units('ready.revenue')} OR of_message <> ready.message_id"
    )


def differing_in(connection: duckdb.DuckDBPyConnection, dataset: str) -> list[DifferingRow]:
    """Return every row of a stage that differs from what was sent, in the order of the input."""
    found = connection.execute(
        "SELECT identity, path, row, line, acknowledged FROM differing JOIN input USING (seq) JOIN files USING (file)"
        " ORDER BY seq"
    ).fetchall()
    return [DifferingRow(dataset, *row) for row in found]


def unseen(connection: duckdb.DuckDBPyConnection) -> Sequence[Differing]:
    """Return the rows of a stage that differ from what was sent and are not acknowledged."""
    found = connection.execute(
        "SELECT DISTINCT identity, content FROM differing WHERE NOT acknowledged ORDER BY identity"
    ).fetchall()
    return [Differing(*row) for row in found]


def mark_seen(connection: duckdb.DuckDBPyConnection) -> None:
    """Mark all rows of a stage that differ as acknowledged."""
    connection.execute("UPDATE differing SET acknowledged = true")
