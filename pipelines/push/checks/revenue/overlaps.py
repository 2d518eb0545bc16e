"""Revenue without a record_id that equals a row sent from a file outside the input: exports that overlap.

If both files are in the input, their equal rows are numbered in one sequence, and new ones are held for a decision
(`same_rows`). The same holds if the files are pushed one by one: rows sent from a file that still exists, but is not
in the input, count before those of the input. Two kinds of files do not count, because their rows are the ones that
were sent: a file whose rows are all in the input was only renamed, converted, split or extended, and a file that no
longer exists was replaced (`replaced`). Rows sent by a program that noted no file do not count either. What does not
belong here: what happens to rows that are held (`same_rows`).
"""

from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.push.checks.conflicts import NUMBERED
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.revenue.sources import sources
from pipelines.push.stage.database import count
from pipelines.warehouse.structure.tables import insert
from schemas.values.outcomes import MAYBE_IN_ACCOUNT, sql_list

BASE = "left(identity, 40)"
"""SQL for the identity of revenue without a record_id, without its occurrence number."""


def renumber(connection: duckdb.DuckDBPyConnection, ledger: Ledger | None) -> None:
    """Number equal rows again, from what the ledger knows now.

    Makes the temporary tables `sources` (file, source: the number of each file of the input that has one) and
    `sent_before` (base, rows: how many equal rows count before those of the input, places: the names of their files).

    Args:
        connection: the connection of a stage of revenue, with the table `known`.
        ledger: None if there is no ledger yet.
    """
    connection.execute(
        "DELETE FROM ordinals WHERE own IS NULL;"
        "UPDATE ordinals SET ordinal = own WHERE ordinal <> own;"
        "CREATE OR REPLACE TEMP TABLE sources (file INTEGER, source BIGINT);"
        "CREATE OR REPLACE TEMP TABLE sent_before (base VARCHAR, rows BIGINT, places VARCHAR)"
    )
    numbers = sources(ledger) if ledger else {}
    if not numbers:
        return
    files = connection.execute("SELECT file, path FROM files").fetchall()
    pairs = [(file, numbers[path]) for file, name in files if (path := str(Path(name).absolute())) in numbers]
    _insert(connection, "sources", ([file for file, _ in pairs], [number for _, number in pairs]))
    others = {path: number for path, number in numbers.items() if _is_there(path)}
    if _find(connection, others):
        connection.execute(
            "UPDATE ordinals SET ordinal = ordinal + o.rows FROM input AS i JOIN sent_before AS o USING (base)"
            " WHERE ordinals.seq = i.seq;"
            "INSERT INTO ordinals SELECT seq, 1 + rows, NULL FROM input JOIN sent_before USING (base)"
            " WHERE seq NOT IN (SELECT seq FROM ordinals)"
        )


def _is_there(path: str) -> bool:
    """Return whether a file of an earlier push still exists; false if that may not be looked up."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def _find(connection: duckdb.DuckDBPyConnection, numbers: dict[str, int]) -> int:
    """Fill `sent_before`; return how many rows it has."""
    connection.execute("CREATE OR REPLACE TEMP TABLE source_names (source BIGINT, label VARCHAR)")
    _insert(connection, "source_names", (list(numbers.values()), [Path(path).name for path in numbers]))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE sent_elsewhere AS SELECT source, {BASE} AS base,"
        " count(*) AS rows FROM known JOIN source_names USING (source)"
        " WHERE ours AND starts_with(identity, 'content:')"
        f" AND outcome IN {sql_list(MAYBE_IN_ACCOUNT)} AND source NOT IN (SELECT source FROM sources) GROUP BY ALL"
    )
    if not count(connection, "SELECT count(*) FROM sent_elsewhere"):
        return 0
    connection.execute(
        "INSERT INTO sent_before WITH here AS ("
        f"SELECT base, count(*) AS rows FROM input WHERE {NUMBERED} GROUP BY base),"
        " partly AS (SELECT DISTINCT source FROM sent_elsewhere AS s LEFT JOIN here AS h USING (base)"
        "  WHERE coalesce(h.rows, 0) < s.rows)"
        " SELECT base, sum(s.rows)::BIGINT, string_agg(DISTINCT label, ', ' ORDER BY label) FROM sent_elsewhere AS s"
        " JOIN here USING (base) JOIN source_names USING (source)"
        " WHERE source IN (SELECT source FROM partly) GROUP BY base"
    )
    return count(connection, "SELECT count(*) FROM sent_before")


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[list[int], list[int] | list[str]]
) -> None:
    insert(connection, table, pa.table(dict(zip("ab", columns, strict=True))))
