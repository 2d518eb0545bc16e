"""Revenue that may be in the account twice: held (parked) until a person decides whether it is one sale or several.

    SAME_ROWS  a row without a record_id that is in several files, pushed together or one by one
    LIKE_SENT  a row that equals a sent one in message, offer and amount, but not in time or record_id. It is not held
               if it is in the file of the sent row, and that file was in the input when the row was sent: then it is
               another sale. A sent row that was corrected counts with the values it was sent with and, for other
               files, with its present values. In its own file a row is held that equals all that was sent: the
               records were renumbered
    LIKE_FILES the same for a row of another file, if neither was sent
    NEW_AMOUNT, REPLACED  a row that may be the correction of one that was sent and has left the files (`replaced`)

Rows that a call has left pending or rejected are held like new ones. Equal rows within one file are several sales.
The ledger keeps a decision by the identity of the rows, and for how many of them it was: rows that are added later
are held again. What does not belong here: rows with one key (`checks.conflicts`).
"""

from dataclasses import dataclass
from enum import StrEnum

import duckdb

from pipelines.push.checks.conflicts import NUMBERED
from pipelines.push.checks.known_rows import IS_NEW, IS_UNSENT
from pipelines.push.checks.revenue.decided_once import ONCE, WITH, keep_decided, with_sale
from pipelines.push.checks.revenue.like_sent import like_sent, load_sent
from pipelines.push.checks.revenue.replaced import GONE, NEW_AMOUNT, REPLACED, REPLACED_COLUMNS, find_replaced
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.decisions import Decided, decided
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import count, is_any
from pipelines.push.values.content_digest import likeness
from pipelines.warehouse.structure.tables import insert
from schemas.registry import PUSHED

SAME_ROWS, LIKE_SENT, LIKE_FILES = "same_rows", "like_sent", "like_files"
"""Our codes for rows that are held."""

_WHY = {
    SAME_ROWS: "the same row, without a record_id, is in several files; "
    "--same-rows-count or --same-rows-once decides",
    LIKE_SENT: "a row that was sent has or had the same message, offer and amount, but another time or record_id; "
    "--same-rows-count or --same-rows-once decides",
    LIKE_FILES: "a row of another file has the same message, offer and amount, but another time or record_id; "
    "--same-rows-count or --same-rows-once decides",
    NEW_AMOUNT: "a row that was sent and is no longer in the files is equal except for the amount; "
    "--same-rows-count or --same-rows-once decides",
    REPLACED: "a row that was sent for the same message or contact is no longer in the files, and this one is new; "
    "--same-rows-count or --same-rows-once decides",
}
_NUMBER = "coalesce(ordinal, 1)"


class Choice(StrEnum):
    """Whether rows that may be one sale are several sales or one."""

    COUNT = "count"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decides about all rows that are held.

    Attributes:
        choice: whether each row is a sale, or one sale with the row that it equals.
        reason: the reason, kept with the decision.
    """

    choice: Choice
    reason: str


def hold_same(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger | None, decision: Decision | None, archive: str
) -> None:
    """Park rows that may be in the account twice and were not decided about; with a decision, apply it first.

    Makes the temporary table `decided` (base, rows, times, is_new); `new_decided` returns the rows of it to keep.

    Args:
        connection: the connection of the stage, with the table `known`.
        ledger: None if there is no ledger yet.
        decision: about all rows that are held; with None they stay held.
        archive: the relation to select archived revenue from; "" if nothing is archived.
    """
    no_decisions(connection)
    for rows in decided(ledger) if ledger else ():
        insert(connection, "decided", rows)
    _find_held(connection, ledger, archive)
    if decision:
        _decide(connection, decision.choice)
    judged = "FROM held AS h LEFT JOIN decided AS d USING (base)"
    connection.execute(
        f"INSERT INTO verdicts SELECT seq, '{Outcome.DUPLICATE}', ?, NULL, NULL, true {judged}"
        " WHERE number > times AND number <= rows",
        [ONCE],
    )
    for code, why in _WHY.items():
        connection.execute(
            f"INSERT INTO verdicts SELECT seq, '{Outcome.PARKED}', ?, '{code}', places, true {judged}"
            f" WHERE code = '{code}' AND number > coalesce(rows, 0)",
            [why],
        )
    keep_decided(connection, ledger)


def no_decisions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary table `decided` of `hold_same`, without rows."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE decided (base VARCHAR, rows BIGINT, times BIGINT, is_new BOOLEAN)"
    )


def new_decided(connection: duckdb.DuckDBPyConnection) -> list[Decided]:
    """Return the decisions that `hold_same` has made now."""
    found = connection.execute("SELECT base, rows, times FROM decided WHERE is_new ORDER BY base").fetchall()
    return [Decided(*row) for row in found]


def number_decided(connection: duckdb.DuckDBPyConnection) -> int:
    """Return how many identities `hold_same` decided about now, with those of rows that have left the input."""
    of_rows = f"NOT starts_with(base, '{WITH}')"
    return count(connection, f"SELECT count(*) FROM decided WHERE is_new AND {of_rows}")


def _find_held(connection: duckdb.DuckDBPyConnection, ledger: Ledger | None, archive: str) -> None:
    """Make the temporary table `held`: rows that are not in the ledger and may be in the account twice; each once.

    Also makes `like_one` and `replaced`, with the sent rows that they may be.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE held (seq BIGINT, base VARCHAR, number BIGINT, code VARCHAR, places VARCHAR);"
        f"CREATE OR REPLACE TEMP TABLE replaced ({REPLACED_COLUMNS});"
        "CREATE OR REPLACE TEMP TABLE like_one (seq BIGINT, identity VARCHAR)"
    )
    connection.execute(
        f"INSERT INTO held SELECT seq, ready.base, ordinal, '{SAME_ROWS}', places"
        f" FROM ready JOIN sent_before USING (base) JOIN ordinals USING (seq) WHERE {IS_NEW}"
    )
    if ledger is not None and is_any(connection, "known"):
        load_sent(connection, ledger)
        connection.execute(
            f"INSERT INTO like_one {like_sent()};"
            f"INSERT INTO held SELECT DISTINCT seq, ready.base, {_NUMBER}, '{LIKE_SENT}', NULL FROM like_one"
            " JOIN ready USING (seq) LEFT JOIN ordinals USING (seq) WHERE seq NOT IN (SELECT seq FROM held)"
        )
        if is_any(connection, "sent WHERE NOT is_in OR is_other"):
            find_replaced(connection, ledger, archive)
        connection.execute(
            f"INSERT INTO held SELECT DISTINCT seq, ready.base, {_NUMBER}, code, NULL FROM replaced"
            " JOIN ready USING (seq) LEFT JOIN ordinals USING (seq) WHERE seq NOT IN (SELECT seq FROM held)"
        )
    _find_alike(connection)
    if is_any(connection, f"repeats WHERE {NUMBERED}"):
        connection.execute(
            f"INSERT INTO held SELECT seq, ready.base, r.ordinal, '{SAME_ROWS}', files"
            " FROM ready JOIN repeats AS r USING (seq) JOIN ("
            "SELECT base, string_agg(DISTINCT label, ', ' ORDER BY label) AS files"
            f" FROM repeats JOIN labels USING (file) WHERE {NUMBERED} GROUP BY base) AS f ON f.base = ready.base"
            f" WHERE {IS_NEW} AND seq NOT IN (SELECT seq FROM held)"
        )


def _find_alike(connection: duckdb.DuckDBPyConnection) -> None:
    """Hold rows of different files that are alike and of which none was sent; within one file they are several sales.

    A row that a call has left pending will be sent too, but it was compared before; so one of the rows must be new.
    """
    if count(connection, "SELECT count(*) FROM files") < 2:
        return
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE alike AS WITH rows AS ("
        f"SELECT seq, base, file, {likeness(PUSHED[REVENUE])} AS likeness, {IS_NEW} AS is_new"
        f" FROM ready WHERE {IS_UNSENT}) SELECT * FROM rows WHERE likeness IN (SELECT likeness FROM rows"
        " GROUP BY likeness HAVING bool_or(is_new) AND min(file) <> max(file)"
        "  AND min(hash(base)) <> max(hash(base)))"
    )
    connection.execute(
        f"INSERT INTO held SELECT seq, a.base, {_NUMBER}, '{LIKE_FILES}', files FROM alike AS a JOIN ("
        "SELECT likeness, string_agg(DISTINCT label, ', ' ORDER BY label) AS files"
        " FROM alike JOIN labels USING (file) GROUP BY likeness) USING (likeness) LEFT JOIN ordinals USING (seq)"
        " WHERE seq NOT IN (SELECT seq FROM held)"
    )


def _decide(connection: duckdb.DuckDBPyConnection, choice: Choice) -> None:
    """Decide about rows that are held without a decision, or with one for fewer rows."""
    _find_once(connection)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS SELECT base, max(number) AS most,"
        f" CASE WHEN bool_or(code NOT IN ('{SAME_ROWS}', '{LIKE_FILES}')) THEN 0"
        f" WHEN bool_or(code = '{LIKE_FILES}') THEN coalesce(max(once.rows), 0)"
        " ELSE coalesce(max(inside), 1) END AS inside FROM held LEFT JOIN once USING (base)"
        " LEFT JOIN (SELECT base, max(n) AS inside FROM (SELECT base, file, count(*) AS n FROM repeats GROUP BY ALL)"
        " GROUP BY base) USING (base) LEFT JOIN decided AS d USING (base)"
        " GROUP BY base HAVING max(number) > coalesce(any_value(d.rows), 0)"
    )
    counted = "most" if choice is Choice.COUNT else "inside"
    connection.execute(
        "DELETE FROM decided WHERE base IN (SELECT base FROM fresh);"
        f"INSERT INTO decided SELECT base, most, {counted}, true FROM fresh"
    )
    if choice is Choice.ONCE:
        connection.execute(
            f"INSERT INTO decided SELECT DISTINCT {with_sale('held.base', 's.identity')}, 1, 1, true FROM held"
            " JOIN fresh ON fresh.base = held.base"
            " JOIN (FROM like_one UNION SELECT seq, identity FROM replaced) AS s USING (seq)"
        )
    # rows that have left are decided about too, so that a row added later is no correction of them
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE settled AS SELECT DISTINCT '{GONE}' || identity AS base FROM replaced"
        " JOIN held USING (seq) JOIN fresh ON fresh.base = held.base;"
        "DELETE FROM decided WHERE base IN (SELECT base FROM settled);"
        "INSERT INTO decided SELECT base, 1, 1, true FROM settled"
    )


def _find_once(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary table `once`: of rows alike in several files, those of the file that has most of them.

    It has none of them if one may stand for a sale that was sent: then all of them are that sale.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE once (base VARCHAR, rows BIGINT)")
    if is_any(connection, f"held WHERE code = '{LIKE_FILES}'"):
        connection.execute(
            "INSERT INTO once WITH open AS (SELECT alike.* FROM alike JOIN held USING (seq)"
            f" WHERE code = '{LIKE_FILES}' AND likeness NOT IN (SELECT likeness FROM alike JOIN held USING (seq)"
            f" WHERE code <> '{LIKE_FILES}')), chosen AS (SELECT likeness, file FROM open GROUP BY likeness, file"
            " QUALIFY row_number() OVER (PARTITION BY likeness ORDER BY count(*) DESC, file) = 1)"
            " SELECT base, count(*) FROM open JOIN chosen USING (likeness, file) GROUP BY base"
        )
