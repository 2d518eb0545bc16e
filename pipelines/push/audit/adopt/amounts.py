"""Finds amounts of revenue that a warehouse of an earlier version does not have, in other places.

They are in the archive, which has what was sent, or in the stage of the last intake. The sum that the API
acknowledged for a call is the proof: if the amounts found do not add up to it, they are not those that were sent, and
count as unknown. What does not belong here: taking rows over (`adopt`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.databases.duckdb_instances import attached
from pipelines.push.audit.archive.rows import all_archived
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import stage_path
from pipelines.settings import Settings
from pipelines.storage import storage_errors

if TYPE_CHECKING:
    import duckdb

Row = Mapping[str, Any]
"""A row with the columns of imports.records, or a call with those of imports.chunks."""

_WANTED = "identity IN (SELECT unnest(?::VARCHAR[])) AND revenue IS NOT NULL"
_STAGED = (
    "SELECT identity, revenue FROM (SELECT i.revenue,"
    " CASE WHEN o.ordinal IS NULL THEN i.base ELSE i.base || ':' || o.ordinal END AS identity"
    " FROM input AS i LEFT JOIN ordinals AS o USING (seq)"
    f" WHERE seq NOT IN (SELECT seq FROM verdicts)) WHERE {_WANTED}"
)


def with_amounts(settings: Settings, calls: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Return rows of revenue, with amounts from elsewhere if they lack one.

    Args:
        settings: the place of archive and stage.
        calls: the rows' calls as in imports.chunks, as far as they can prove amounts.
        rows: rows with identity, chunk, outcome, code and revenue.

    Raises:
        StorageError: the archive or the stage cannot be read.
    """
    lacking = [row["identity"] for row in rows if row["revenue"] is None]
    found = _amounts(settings, lacking) if lacking else {}
    if not found:
        return list(rows)
    filled = [{**row, "revenue": found.get(row["identity"], row["revenue"])} for row in rows]
    accepted = _accepted(filled)
    others = {chunk for chunk, amount in _acknowledged(calls).items() if accepted[chunk] != amount}
    return [row if new["chunk"] in others else new for row, new in zip(rows, filled, strict=True)]


def amount_of_rows(calls: Sequence[Row], rows: Sequence[Row]) -> tuple[Decimal, int]:
    """Return the sum of the rows' amounts, and how many rows are not in this sum.

    A row without an amount is in the sum if the API acknowledged a sum for its call.

    Args:
        calls: the calls, as in imports.chunks.
        rows: rows with chunk, outcome, code and revenue.
    """
    accepted, sums = _accepted(rows), _acknowledged(calls)
    lacking = [row for row in rows if row["revenue"] is None]
    proven = [row for row in lacking if _is_plain(row) and row["chunk"] in sums]
    amount = sum((row["revenue"] or Decimal(0) for row in rows), Decimal(0))
    for chunk in {row["chunk"] for row in proven}:
        amount += sums[chunk] - accepted[chunk]
    return amount, len(lacking) - len(proven)


def _acknowledged(calls: Sequence[Row]) -> dict[int, Decimal]:
    """Return the sum in each call's answer, for calls whose answer has one."""
    return {call["chunk"]: call["total_revenue"] for call in calls if call["total_revenue"] is not None}


def _is_plain(row: Row) -> bool:
    """Return whether the answer to the row's call acknowledged the row."""
    return row["outcome"] == Outcome.ACCEPTED and not row["code"]


def _accepted(rows: Sequence[Row]) -> defaultdict[int, Decimal]:
    """Return for each call the sum of the known amounts that its answer acknowledged."""
    sums: defaultdict[int, Decimal] = defaultdict(Decimal)
    for row in rows:
        if _is_plain(row):
            sums[row["chunk"]] += row["revenue"] or Decimal(0)
    return sums


def _amounts(settings: Settings, identities: Sequence[str]) -> dict[str, Decimal]:
    """Return amounts by identity: those of the archive, else those of the stage."""
    found: dict[str, Decimal] = {}
    path = stage_path(settings, REVENUE)
    if path.exists():
        with storage_errors("read", path), attached(path, "stage", " (READ_ONLY)") as stage:
            found |= _pairs(stage, _STAGED, identities)
    with all_archived(settings, REVENUE) as archived:
        if archived:
            newest = "QUALIFY row_number() OVER (PARTITION BY identity ORDER BY file DESC, content) = 1"
            with attached(None, "archive") as archive:
                query = f"SELECT identity, revenue FROM {archived} WHERE {_WANTED} {newest}"
                found |= _pairs(archive, query, identities)
    return found


def _pairs(
    connection: "duckdb.DuckDBPyConnection", query: str, identities: Sequence[str]
) -> dict[str, Decimal]:
    return dict(connection.execute(query, [list(identities)]).fetchall())
