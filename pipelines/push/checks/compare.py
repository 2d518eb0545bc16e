"""Compares the input with the ledger: which rows are in the account already, which are parked, which can be sent.

It works inside the stage's connection, so that memory stays constant however many rows the two have. What does not
belong here: judging single rows (`validate`), and cutting chunks (`send.calls`).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from pipelines.databases import duckdb_memory
from pipelines.databases.duckdb_instances import beside
from pipelines.push.checks import differing_rows
from pipelines.push.checks.compared import Compared, Period, is_within
from pipelines.push.checks.conflicts import CONFLICT, conflicts, label_files
from pipelines.push.checks.known_rows import COLUMNS, IS_NEW
from pipelines.push.checks.revenue.overlaps import renumber
from pipelines.push.checks.revenue.same_rows import Decision, hold_same, no_decisions
from pipelines.push.checks.revenue.synced_by_tune import hold_synced
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.ledger.statements import InputChanges
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import count, is_any, is_empty, opened
from pipelines.push.values.content_digest import changed, kept_content
from pipelines.storage import storage_errors
from pipelines.warehouse.structure.tables import insert
from schemas.columns import Dataset
from schemas.registry import PUSHED
from schemas.values.outcomes import IN_ACCOUNT, sql_list

_LONG = 3_000  # bytes; the longest text message has 1,600 characters

ELSEWHERE = "another part of the input, pushed on the same ledger, has it"
"""Why a row is not sent from here if several machines push."""

_OTHER_ELSEWHERE = "another part of the input, pushed on the same ledger, has it with other values"

SEND_DIFFERS = (
    "message_id: its send was changed in its file after it was sent, so the id may now mean another message; "
    "look at it: trackly-sync resolve --differs"
)
"""Why clicks and revenue are parked if their send differs from what was sent."""


_NO_SEND = "message_id: no send of this id is in the account through us"
_SEND_PENDING = f"message_id: its send is {Outcome.PENDING}"
_SEND_COMES = "message_id: its send is in the input and still to be sent: trackly-sync push"


_PARENTS = (
    "CREATE OR REPLACE TEMP TABLE parents"
    " (identity VARCHAR, outcome VARCHAR, contact VARCHAR, list_ref VARCHAR)"
)


@dataclass(frozen=True, slots=True)
class SendsStage:
    """The stage of sends that clicks and revenue refer to.

    Attributes:
        path: the stage; it may not exist.
        coming: for a plan: its sends that are ready count as accepted.
        between: for a plan of a period: sends of other times do not count so.
    """

    path: Path
    coming: bool = False
    between: Period | None = None


def compare(
    connection: duckdb.DuckDBPyConnection,
    dataset: str,
    ledger: Ledger | None,
    sends: SendsStage | None = None,
    decision: Decision | None = None,
    archive: str = "",
) -> Compared:
    """Load what the ledger knows of a dataset, and park the rows whose send is not in the account.

    Args:
        connection: the stage, validated.
        dataset: the dataset of the stage.
        ledger: None if there is no ledger yet.
        sends: the stage of sends, for clicks and revenue; it must have been compared before.
        decision: about revenue that may be in the account twice; `same_rows.new_decided` returns what it decides.
        archive: for revenue, the relation to select archived rows from; "" if nothing is archived.
    """
    if is_empty(connection):
        return _nothing_compared(connection, dataset, ledger, archive)
    _make_room(connection, dataset)
    _load_known(connection, dataset, ledger)
    connection.execute("DELETE FROM verdicts WHERE fleeting")
    if dataset == REVENUE:
        renumber(connection, ledger)
    label_files(connection)
    _leave_to_others(connection, PUSHED[dataset])
    conflicts(connection, PUSHED[dataset])
    if dataset != "sends":
        with _its_sends(connection, sends) as is_there:
            _park(connection, ledger, sends if is_there and sends and sends.coming else None)
            if is_there:
                _name_coming(connection)
                _park_of_differing(connection)
    if dataset == REVENUE:
        hold_synced(connection, ledger)
        hold_same(connection, ledger, decision, archive)
    differing_rows.find(connection, PUSHED[dataset], ledger)
    return replace(_as_judged(connection, dataset), archive=archive)


def _nothing_compared(
    connection: duckdb.DuckDBPyConnection, dataset: str, ledger: Ledger | None, archive: str
) -> Compared:
    """Compare a stage without rows: make the same tables, and find the rows that have left the input.

    Args:
        connection: the stage.
        dataset: the dataset of the stage.
        ledger: None if there is no ledger yet.
        archive: see `compare`.
    """
    _load_known(connection, dataset, ledger)
    if dataset != "sends":
        connection.execute(_PARENTS)
    if dataset == REVENUE:
        renumber(connection, ledger)
        no_decisions(connection)
    return Compared(connection, dataset, 0, {}, _changes(connection), archive=archive)


def as_it_was(connection: duckdb.DuckDBPyConnection, dataset: str, ledger: Ledger) -> Compared:
    """Return a stage with the verdicts of its last comparison, together with the present ledger.

    Args:
        connection: the stage, compared before; it may have been redacted.
        dataset: the dataset of the stage.
        ledger: an open ledger, perhaps not the one of the comparison.
    """
    _load_known(connection, dataset, ledger)
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW ready AS SELECT"
        " CASE WHEN ordinal IS NULL THEN base ELSE base || ':' || ordinal END AS identity"
        " FROM input LEFT JOIN ordinals USING (seq) WHERE seq NOT IN (SELECT seq FROM verdicts)"
    )
    return _as_judged(connection, dataset)


def may_turn_out(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether a compared stage has rows that were corrected while the outcome of their call is open."""
    return is_any(
        connection,
        "corrected JOIN known ON known.identity = corrected.identity"
        f" WHERE known.outcome IN {sql_list((Outcome.PENDING, Outcome.IN_DOUBT))}",
    )


def note_answered(path: Path, dataset: str, ledger: Ledger) -> None:
    """Record the corrected rows whose call turned out to be accepted: they differ from their file.

    Call this at the end of a push: earlier, clicks and revenue of such a send would be parked in the same push.

    Args:
        path: the stage.
        dataset: the dataset of the stage.
        ledger: a ledger that is open for writing.

    Raises:
        StorageError: the stage or the ledger cannot be written.
    """
    with opened(path) as connection:
        compared = as_it_was(connection, dataset, ledger)
        if differing_rows.find_answered(connection, dataset, ledger):
            differing_rows.add_answered(connection)
            changes = replace(compared.changes, differs=compared.differing())
            replace(compared, changes=changes).record(ledger)


def _load_known(connection: duckdb.DuckDBPyConnection, dataset: str, ledger: Ledger | None) -> None:
    declared = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE known ({declared})")
    _load(connection, "known", ledger, dataset, tuple(COLUMNS))


def _as_judged(connection: duckdb.DuckDBPyConnection, dataset: str) -> Compared:
    held = connection.execute("SELECT outcome, count(*) FROM verdicts GROUP BY outcome").fetchall()
    changes = _changes(connection)
    rows_in = count(connection, "SELECT count(*) FROM input")
    return Compared(connection, dataset, rows_in, dict(held), changes)


def _make_room(connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Raise the memory limit for long texts; see `duckdb_memory.LONG_TEXTS`."""
    longest = "SELECT coalesce(max(strlen(message)), 0) FROM input"
    if dataset == "sends" and count(connection, longest) > _LONG:
        connection.execute(f"SET memory_limit = '{duckdb_memory.LONG_TEXTS}'")


def _load(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    ledger: Ledger | None,
    dataset: str,
    columns: Sequence[str],
) -> None:
    """Copy columns of `ledger_rows` into a table."""
    for rows in ledger_rows(ledger, dataset, columns, every_part=True) if ledger else ():
        insert(connection, table, rows)


def _leave_to_others(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Give verdicts to rows that another part of the input has: duplicate, or a conflict if the content differs."""
    if not is_any(connection, "known WHERE NOT ours"):
        return
    differ = changed("known.content", kept_content(dataset))
    outcome = f"CASE WHEN {differ} THEN '{Outcome.QUARANTINED}' ELSE '{Outcome.DUPLICATE}' END"
    connection.execute(
        f"INSERT INTO verdicts SELECT seq, {outcome},"
        f" CASE WHEN {differ} THEN ? ELSE ? END, CASE WHEN {differ} THEN '{CONFLICT}' END, NULL, true"
        " FROM ready JOIN known ON NOT ours AND known.identity = ready.identity",
        [f"{dataset.key[0]}: {_OTHER_ELSEWHERE}", ELSEWHERE],
    )


@contextmanager
def _its_sends(connection: duckdb.DuckDBPyConnection, sends: SendsStage | None) -> Iterator[bool]:
    """Attach the stage of sends as `its_sends`; yield whether there is one."""
    if sends is None or not sends.path.exists():
        yield False
        return
    with ExitStack() as stack:
        with storage_errors("open", sends.path):
            stack.enter_context(beside(connection, sends.path, "its_sends"))
        yield True


def _park(connection: duckdb.DuckDBPyConnection, ledger: Ledger | None, coming: SendsStage | None) -> None:
    """Park the new rows whose send is not in the account. Rows that the ledger knows are not parked.

    Args:
        connection: the stage, with `its_sends` if `coming` is given.
        ledger: None if there is no ledger yet.
        coming: for a plan: the stage whose sends count as accepted.
    """
    connection.execute(_PARENTS)
    _load(connection, "parents", ledger, "sends", ("identity", "outcome", "contact", "list_ref"))
    if coming:
        connection.execute(
            f"UPDATE parents SET outcome = '{Outcome.ACCEPTED}' WHERE outcome = '{Outcome.PENDING}'"
            f" AND identity IN (SELECT base FROM its_sends.input WHERE {is_within(coming.between)});"
            f"INSERT INTO parents SELECT base, '{Outcome.ACCEPTED}', to_number,"
            " coalesce(list_number, CAST(list_id AS VARCHAR)) FROM its_sends.input AS i WHERE"
            f" {is_within(coming.between)} AND NOT EXISTS (SELECT 1 FROM its_sends.verdicts AS v WHERE v.seq = i.seq)"
            " AND NOT EXISTS (SELECT 1 FROM parents AS p WHERE p.identity = i.base)"
        )
    connection.execute(
        f"INSERT INTO verdicts SELECT seq, '{Outcome.PARKED}',"
        f" CASE WHEN outcome IS NULL THEN '{_NO_SEND}'"
        " ELSE 'message_id: its send is ' || outcome END, NULL, NULL, true"
        " FROM ready LEFT JOIN parents ON parents.identity = ready.message_id"
        f" WHERE (outcome IS NULL OR outcome NOT IN {sql_list(IN_ACCOUNT)})"
        f" AND {IS_NEW}"
    )


def _name_coming(connection: duckdb.DuckDBPyConnection) -> None:
    """Change the reason of parked rows whose send is in the input and can be sent: nothing is wrong with them."""
    parked = f"reason IN ('{_NO_SEND}', '{_SEND_PENDING}')"
    if count(connection, f"SELECT count(*) FROM verdicts WHERE {parked}"):
        connection.execute(
            f"UPDATE verdicts SET reason = '{_SEND_COMES}' WHERE {parked} AND seq IN (SELECT i.seq FROM input AS i"
            " JOIN its_sends.input AS s ON s.base = i.message_id"
            f" WHERE i.seq IN (SELECT seq FROM verdicts WHERE {parked})"
            " AND s.seq NOT IN (SELECT seq FROM its_sends.verdicts))"
        )


def _park_of_differing(connection: duckdb.DuckDBPyConnection) -> None:
    """Park new rows whose send differs from its file and was not acknowledged: its id may mean another message."""
    known = (
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'its_sends' AND table_name = 'differing'"
    )
    # a stage of an older version does not have the table
    if count(connection, known) and is_any(connection, "its_sends.differing WHERE NOT acknowledged"):
        connection.execute(
            f"INSERT INTO verdicts SELECT seq, '{Outcome.PARKED}', ?, NULL, NULL, true FROM ready"
            " WHERE message_id IN (SELECT identity FROM its_sends.differing WHERE NOT acknowledged)"
            f" AND {IS_NEW}",
            [SEND_DIFFERS],
        )


def _changes(connection: duckdb.DuckDBPyConnection) -> InputChanges:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE changed AS SELECT identity, chunk, own, packed, NOT current AS is_in"
        " FROM known WHERE ours AND current <> (identity IN (SELECT identity FROM ready))"
    )
    differs = count(connection, "SELECT count(*) FROM differing WHERE NOT acknowledged")
    if not count(connection, "SELECT count(*) FROM changed"):
        return InputChanges({}, {}, {}, differs)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE whole AS SELECT chunk, bool_and(is_in) AS is_in FROM changed WHERE packed"
        " GROUP BY chunk HAVING count(*) = (SELECT count(*) FROM known WHERE known.chunk = changed.chunk)"
    )
    packs = connection.execute("SELECT chunk, is_in FROM whole").fetchall()
    changed = connection.execute(
        "SELECT identity, is_in FROM changed WHERE chunk NOT IN (SELECT chunk FROM whole)"
    ).fetchall()
    deltas = connection.execute(
        "SELECT chunk, sum(CASE WHEN is_in THEN 1 ELSE -1 END)::BIGINT FROM changed WHERE NOT own GROUP BY chunk"
    ).fetchall()
    return InputChanges(dict(changed), dict(deltas), dict(packs), differs)
