"""Rows that were sent and corrected in their file since: what was sent, and in which fields they differ.

The account keeps what it was sent, so facts and money of such a row are those of its call, and only its place is that
of the file. What was sent is found in the archive by its digest; if an earlier program sent the row without archiving
it, in the warehouse that is replaced. The ledger has the amount and the message of revenue too. What does not belong
here: which rows these are (`checks.differing_rows`), and writing the archive (`rows`).
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipelines.privacy import Privacy
from pipelines.push.audit.archive.rows import NAMES_OF_FACTS, published_facts, rows_of
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.outcomes import NO_ANSWER, Outcome
from pipelines.push.stage.database import count
from pipelines.push.values.content_digest import changed
from schemas.columns import Dataset
from schemas.derived.tables import literal
from schemas.own_tables.imports import FACTS
from schemas.values.money import sql_amount

_KNOWN_BY = ("id", "record_id")
"""Fields that identify rows; the message of a click is in none of its facts either."""

_FACTS = ", ".join(field.name for field in FACTS)

_GOES_AGAIN = f"k.outcome = '{Outcome.PENDING}' AND coalesce(w.code, '') NOT IN ('', '{NO_ANSWER}')"
"""SQL condition: the account does not have the row, and is sent the present content of its file."""

AMOUNT = sql_amount("k.amount")
"""SQL for the amount that a row of the ledger, `k`, was sent with; null except for revenue."""


def find_sent(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    files: Sequence[Path],
    privacy: Privacy,
    table: str,
) -> bool:
    """Make the table `given` with what was sent of corrected rows; return whether it has rows.

    Its columns: seq, is_known (whether the facts are known), message_id and amount (of the ledger, for revenue), and
    the facts.

    Args:
        connection: a connection to the warehouse, with the tables `known`, `texts` and `earlier`, and the stage as
            `stage`.
        dataset: the dataset of the rows.
        files: its archive.
        privacy: what may be published.
        table: the stage's table of corrected rows; a stage of an older program has `differing`, with only some of
            them.
    """
    of_ledger = f"k.message_id, {AMOUNT}" if dataset.name == REVENUE else "NULL, NULL::DECIMAL(18, 4)"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE corrected (seq, identity, content, message_id, amount) AS"
        f" SELECT c.seq, k.identity, k.content, {of_ledger} FROM stage.{table} AS c"
        " JOIN known AS k ON k.identity = c.identity LEFT JOIN texts AS w ON w.identity = k.identity"
        f" WHERE NOT ({_GOES_AGAIN}) AND (k.content IS NULL OR {changed('k.content', 'c.content')})"
    )
    if not count(connection, "SELECT count(*) FROM corrected"):
        return False
    sent = f"SELECT identity, {_FACTS} FROM earlier WHERE dataset = '{dataset.name}'"
    if files:
        sent += f" UNION ALL SELECT identity, {_FACTS} FROM ({_archived(files)})"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE given AS SELECT c.seq, s.identity IS NOT NULL AS is_known, c.message_id,"
        f" c.amount, {published_facts('s', privacy)} FROM corrected AS c LEFT JOIN ({sent}) AS s USING (identity)"
    )
    return True


def _archived(files: Sequence[Path]) -> str:
    """Return a query for the archived versions of the rows of `corrected`.

    Rows that the ledger took over have no digest: the version with their amount counts, else the newest.
    """
    return (
        f"SELECT a.* FROM corrected AS c JOIN {rows_of(files)} AS a ON a.identity = c.identity"
        " AND (c.content IS NULL OR a.content = c.content) QUALIFY row_number() OVER"
        " (PARTITION BY c.seq ORDER BY a.revenue IS NOT DISTINCT FROM c.amount DESC, a.file DESC, a.content) = 1"
    )


def changed_fields(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, files: Sequence[Path], privacy: Privacy
) -> dict[str, tuple[str, ...]]:
    """Return the fields in which rows of `differing` differ from what was sent, by identity; archived rows only.

    Args:
        connection: the stage, with the macros of `Privacy.define`.
        dataset: the dataset of the stage.
        files: the archive.
        privacy: whether phone numbers and messages are kept unchanged.
    """
    if not files:
        return {}
    compared = _compared(dataset, privacy)
    differ = ", ".join(f"CASE WHEN {differs} THEN {literal(name)} END" for name, differs in compared.items())
    found = connection.execute(
        f"SELECT a.identity, list_filter([{differ}], lambda name: name IS NOT NULL)"
        f" FROM input AS i JOIN (SELECT c.seq, a.* FROM corrected AS c JOIN {rows_of(files)} AS a"
        " ON a.identity = c.identity AND (c.sent IS NULL OR a.content = c.sent)"
        " WHERE c.seq IN (SELECT seq FROM differing)"
        " QUALIFY row_number() OVER (PARTITION BY c.seq ORDER BY a.file DESC) = 1) AS a USING (seq)"
    ).fetchall()
    # if no archived field differs, one of the fields that are not archived does
    rest = [name for name in dataset.columns if name == "message" or name not in {*compared, *_KNOWN_BY}]
    return {identity: tuple(names or rest) for identity, names in found}


def _compared(dataset: Dataset, privacy: Privacy) -> dict[str, str]:
    """Return by field an SQL condition: row `i` of the stage differs from the archived row `a`."""
    named = {own: fact.name for fact in FACTS for own in NAMES_OF_FACTS.get(fact.name, (fact.name,))}
    return {
        name: _is_another(fact, f"i.{name}", privacy)
        for name, fact in named.items()
        if name in dataset.columns
    }


def _is_another(fact: str, now: str, privacy: Privacy) -> str:
    if fact == "message":
        return f"a.message <> {now}" if privacy.keep_messages and not privacy.key else "false"
    if fact == "phone_number":  # a redacted stage has the hash
        now = f"CASE WHEN {now} LIKE '+%' THEN kept_phone({now}) ELSE {now} END"
    return f"a.{fact} IS DISTINCT FROM {now}"
