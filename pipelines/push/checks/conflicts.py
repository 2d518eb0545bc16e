"""Rows with one key: equal rows are duplicates; rows that differ are in conflict and are all held back.

    find      when an input is judged: finds the rows that repeat a key, and which of them are equal (duplicate)
    conflicts whenever the stage is compared with the ledger: quarantines the others, each with two places

If the account has one of the rows in conflict, only the others are quarantined. Clicks of one message that differ in
their time only are no conflict: a message is clicked several times, the API keeps one click, and the earliest is
sent. What does not belong here: equal revenue without a record_id (`revenue.same_rows`).
"""

import os
from pathlib import Path

import duckdb

from pipelines.push.checks.known_rows import IS_NEW
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import in_order, is_any
from pipelines.push.values.content_digest import compared, kept_content
from schemas.columns import Dataset
from schemas.derived.tables import literal
from schemas.values.outcomes import MAYBE_IN_ACCOUNT, sql_list

CONFLICT = "conflict"
"""Our code for rows that have the same key as rows with other content."""

NUMBERINGS = "numberings"
"""Our code for the other rows of two files that use the same keys for different rows."""

NUMBERED = "base LIKE 'content:%'"
"""Revenue without a record_id: equal rows are told apart by a number."""

_MOST_ALIKE = 20
"""Two files number their rows independently if so many keys, and 9 in 10 rows of one, have two meanings."""


def find(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Fill `repeats`, and the verdicts and ordinals that do not depend on the ledger.

    Of equal rows the first is sent; of clicks the earliest. Equal revenue may be several sales: its repeats are
    numbered, first within each file, and sent.
    """
    if in_order(connection):
        return
    connection.execute(
        "INSERT INTO repeats BY NAME SELECT seq, file, base, content, compared,"
        f" row_number() OVER (PARTITION BY base ORDER BY {_order(dataset)}) AS ordinal"
        f" FROM ({_repeated(dataset)})"
    )
    if not is_any(connection, "repeats"):
        return
    connection.execute(
        "INSERT INTO verdicts (seq, outcome, reason) SELECT seq, 'duplicate', ? FROM repeats"
        f" WHERE ordinal > 1 AND NOT {_numbered(dataset)} AND base NOT IN ({_IN_CONFLICT})",
        [_why_repeated(dataset)],
    )
    connection.execute(
        f"INSERT INTO ordinals SELECT seq, ordinal, ordinal FROM repeats WHERE ordinal > 1 AND {_numbered(dataset)}"
    )
    connection.execute(f"DELETE FROM repeats WHERE {_settled(dataset)}")


_IN_CONFLICT = "SELECT base FROM repeats GROUP BY base HAVING min(compared) <> max(compared)"


def conflicts(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Quarantine rows in conflict, except rows equal to the one that was sent; reads the table `known`."""
    if not is_any(connection, f"repeats WHERE NOT {_numbered(dataset)}"):
        return
    key = dataset.key[0]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE conflicts AS {_conflicting()};"
        f"INSERT INTO verdicts SELECT seq, '{Outcome.DUPLICATE}', {literal(_why_repeated(dataset))}, NULL, NULL, true"
        " FROM conflicts WHERE is_sent AND ordinal > kept"
    )
    connection.execute(
        f"INSERT INTO verdicts SELECT c.seq, '{Outcome.QUARANTINED}', ?, '{CONFLICT}', "
        f"CASE WHEN {_BY_ROW} THEN {_row_place('i')} || ' and ' || {_row_place('o')}"
        f" ELSE {place('i')} || ' and ' || {place('o')} END, true"
        " FROM conflicts AS c JOIN input AS i ON i.seq = c.seq JOIN input AS o ON o.seq = c.other"
        " JOIN labels AS l_i ON l_i.file = i.file JOIN labels AS l_o ON l_o.file = o.file WHERE NOT c.is_sent",
        [f"{key}: rows that differ have the same {key}"],
    )
    _hold_numberings(connection)


def _hold_numberings(connection: duckdb.DuckDBPyConnection) -> None:
    """Park the other new rows of two files that each number from 1: their ids will have to change."""
    files = {file for pair in two_numberings(connection) for file in pair}
    if files:
        connection.execute(
            f"INSERT INTO verdicts SELECT seq, '{Outcome.PARKED}', ?, '{NUMBERINGS}', NULL, true FROM ready"
            f" WHERE file IN ({', '.join(map(str, files))})"
            f" AND {IS_NEW}",
            [
                "most keys of its file mean other rows in another file; add a prefix to the keys of one of the files"
            ],
        )


def label_files(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary table `labels`: names of the files, as short as they can be and still distinct."""
    paths = dict(connection.execute("SELECT file, path FROM files ORDER BY file").fetchall())
    names = [Path(path).name for path in paths.values()]
    common = os.path.commonpath([str(Path(path).parent) for path in paths.values()]) if paths else ""
    connection.execute("CREATE OR REPLACE TEMP TABLE labels (file INTEGER, label VARCHAR)")
    for file, path in paths.items():
        name = Path(path).name
        label = name if names.count(name) == 1 else os.path.relpath(path, common)
        connection.execute("INSERT INTO labels VALUES (?, ?)", [file, label])


def place(row: str) -> str:
    """Return SQL for the place of a row: the label of its file (alias `l_` and the row's), and its line or number."""
    return f"l_{row}.label || coalesce(' line ' || {row}.line, ' row ' || {row}.row, '')"


_BY_ROW = "i.file = o.file AND i.line = o.line"
"""Both rows are in one line, as elements of a JSON array may be."""


def _row_place(row: str) -> str:
    return f"l_{row}.label || ' row ' || {row}.row"


def _repeated(dataset: Dataset) -> str:
    """Return a query for rows of repeated keys, found by hash to save memory; a few other rows are among them."""
    inside = (
        ", row_number() OVER (PARTITION BY base, file ORDER BY seq) AS inside" if _is_revenue(dataset) else ""
    )
    time = ", timestamp" if dataset.name == "clicks" else ""
    return (
        f"SELECT seq, file, base, {kept_content(dataset)} AS content, {compared(dataset)} AS compared{time}{inside}"
        " FROM ready WHERE hash(base) IN (SELECT hash(base) FROM ready GROUP BY ALL HAVING count(*) > 1)"
    )


def _order(dataset: Dataset) -> str:
    return {"clicks": "timestamp, seq", "revenue": "inside, seq"}.get(dataset.name, "seq")


def _is_revenue(dataset: Dataset) -> bool:
    return dataset.name == "revenue"


def _numbered(dataset: Dataset) -> str:
    return NUMBERED if _is_revenue(dataset) else "false"


def _why_repeated(dataset: Dataset) -> str:
    which = "an earlier click" if dataset.name == "clicks" else "a row before it"
    return f"the input repeats it: {which} has the same {dataset.key[0]}"


def _settled(dataset: Dataset) -> str:
    """Return an SQL condition for rows that need no more judgement: equal ones, and repeats within one file."""
    shared = "SELECT base FROM repeats GROUP BY base HAVING min(file) <> max(file)"
    return f"CASE WHEN {_numbered(dataset)} THEN base NOT IN ({shared}) ELSE base NOT IN ({_IN_CONFLICT}) END"


def _conflicting() -> str:
    """Return a query for rows in conflict: whether each was sent, the first that was, and another row that differs.

    An older program kept no digest of what it sent. It sent the first row, so that one counts as sent.
    """
    return (
        "WITH firsts AS (SELECT base, arg_min(seq, ordinal) AS first_seq,"
        " arg_min(compared, ordinal) AS first_compared"
        f" FROM repeats WHERE NOT ({NUMBERED}) GROUP BY base),"
        " others AS (SELECT base, arg_min(seq, ordinal) AS other_seq FROM repeats JOIN firsts USING (base)"
        " WHERE compared <> first_compared GROUP BY base),"
        " rows AS (SELECT r.*,"
        " CASE WHEN r.compared = f.first_compared THEN o.other_seq ELSE f.first_seq END AS other,"
        f" coalesce(k.outcome IN {sql_list(MAYBE_IN_ACCOUNT)} AND CASE"
        " WHEN k.content IS NULL OR k.content & 255 <> r.content & 255"
        " THEN r.compared = f.first_compared ELSE k.content = r.content END, false) AS is_sent"
        " FROM repeats AS r JOIN firsts AS f USING (base) JOIN others AS o USING (base)"
        " LEFT JOIN known AS k ON k.ours AND k.identity = r.base)"
        " SELECT *, min(CASE WHEN is_sent THEN ordinal END) OVER (PARTITION BY base) AS kept FROM rows"
    )


def two_numberings(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
    """Return pairs of files that use the same keys for different rows, so each seems to number its own rows."""
    found = connection.execute(
        "WITH pairs AS (SELECT a.file AS one, b.file AS two, count(DISTINCT a.base) AS n"
        " FROM repeats AS a JOIN repeats AS b ON a.base = b.base AND a.file < b.file AND a.compared <> b.compared"
        f" WHERE NOT (a.{NUMBERED}) GROUP BY ALL HAVING n >= {_MOST_ALIKE}),"
        " sizes AS (SELECT file, count(*) AS rows FROM input GROUP BY file)"
        " SELECT one, two FROM pairs JOIN sizes AS s ON s.file = one JOIN sizes AS t ON t.file = two"
        " WHERE n >= 0.9 * least(s.rows, t.rows) ORDER BY ALL"
    ).fetchall()
    return [(int(one), int(two)) for one, two in found]
