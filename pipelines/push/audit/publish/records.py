"""The rows of imports.records: those of the current input from its stage, those of earlier ones from the archive.

A row that was sent is published as it was sent, even if its file was corrected since (`archive.corrected`), because
the account has those values and counts that money. Its place, and whether it differs, come from the file. What does
not belong here: the other tables, and replacing the warehouse (`publish`).
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.databases import duckdb_memory
from pipelines.databases.duckdb_instances import beside
from pipelines.privacy import Privacy
from pipelines.push.audit.archive.corrected import AMOUNT, find_sent
from pipelines.push.audit.archive.files import archive_folder, archived
from pipelines.push.audit.archive.rows import facts_by_name, published_facts, rows_of
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.outcomes import CAUSES, EVIDENCE, Outcome
from pipelines.push.stage.database import (
    FINDINGS,
    VERSION,
    count,
    is_any,
    stage_errors,
    stage_path,
    version_of,
)
from pipelines.push.stage.redact import is_put_away, kept_columns
from pipelines.settings import Settings
from pipelines.warehouse.structure.tables import insert
from pipelines.warehouse.swap import replacing
from schemas.columns import Dataset
from schemas.derived.tables import literal
from schemas.own_tables.imports import FACTS
from schemas.registry import PUSHED

_KNOWN = {
    "identity": "VARCHAR",
    "chunk": "INTEGER",
    "outcome": f"ENUM ({', '.join(map(literal, Outcome))})",
    "current": "BOOLEAN",
    "tries": "INTEGER",
    "content": "BIGINT",
}
"""The table `known`: the rows that the ledger knows, in small types, because a join has to hold them all."""

_KNOWN_OF_REVENUE = {"message_id": "VARCHAR", "amount": "BIGINT"}
"""Columns that `known` has for revenue only."""

_TEXTS = {"identity": "VARCHAR", "outcome": "VARCHAR", "code": "VARCHAR", "message": "VARCHAR"}
"""The table `texts`: the few rows with a code or a message. In `known`, each row would need space for them."""

_HAS_TEXT = (pc.field("code") != "") | (pc.field("message") != "")

_CAUSES = " ".join(f"WHEN '{outcome}' THEN {literal(text)}" for outcome, text in CAUSES.items())

_REASON = (
    f"CASE WHEN contains(w.message, '{EVIDENCE}')"
    f" THEN coalesce(nullif(rtrim(split_part(w.message, '{EVIDENCE}', 1), ':; '), ''),"
    f" CASE w.outcome {_CAUSES} END)"
    " ELSE nullif(w.message, '') END"
)
"""SQL for the reason of a row of `texts`, `w`: its cause without figures; see `outcomes.cause`."""

_EVIDENCE = f"nullif(substr(w.message, nullif(instr(w.message, '{EVIDENCE}'), 0)), '')"
"""SQL for the figures that the reason rests on; null if there are none."""

_SAME_CONTENT = "a.identity = k.identity AND a.content = k.content"
"""SQL condition: a row of the archive, `a`, has the content that the ledger says was sent."""


replacing_for_records = partial(replacing, memory=duckdb_memory.RECORDS, threads=2)
"""`replacing` with the memory limit of a process that also sends; each thread takes a share of the memory."""


def insert_records(
    connection: duckdb.DuckDBPyConnection, name: str, settings: Settings, ledger: Ledger
) -> None:
    """Insert the rows of a dataset into imports.records.

    Args:
        connection: a connection to the new warehouse; imports.chunks is filled.
        name: sends, clicks or revenue.
        settings: the place of stage and archive, and what may be published.
        ledger: an open ledger.
    """
    sent = _make_known(connection, name, ledger)
    stage = stage_path(settings, name)
    files = archived(archive_folder(settings, name))
    if stage.exists():
        with ExitStack() as stack:
            with stage_errors(stage):
                stack.enter_context(beside(connection, stage, "stage"))
            if is_any(connection, "stage.input"):
                _records_of_input(connection, PUSHED[name], files, settings)
        if sent:
            _leave_published(connection, name)
    if sent and count(connection, "SELECT count(*) FROM known"):
        _records_of_earlier_inputs(connection, name, files, settings)
    connection.execute("DROP TABLE known")
    connection.execute("DROP TABLE texts")


def _make_known(connection: duckdb.DuckDBPyConnection, name: str, ledger: Ledger) -> int:
    """Make the tables `known` and `texts` of a dataset; return how many rows the ledger knows.

    Args:
        connection: a connection to the new warehouse.
        name: the dataset.
        ledger: an open ledger.
    """
    known = _KNOWN | (_KNOWN_OF_REVENUE if name == REVENUE else {})
    for table, columns in {"known": known, "texts": _TEXTS}.items():
        declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({declared})")
    sent = 0
    for rows in ledger_rows(ledger, name, list(known | _TEXTS)):
        insert(connection, "known", rows.select(list(known)))
        insert(connection, "texts", rows.select(list(_TEXTS)).filter(_HAS_TEXT))
        sent += rows.num_rows
    pa.default_memory_pool().release_unused()  # else Arrow keeps this memory while DuckDB takes more
    return sent


@dataclass(frozen=True, slots=True)
class _Staged:
    """What an attached stage has.

    Attributes:
        columns: see `_columns_of_findings`; a stage without `differing` has no codes, places and lines either.
        has_phones: whether the stage holds phones that may not be published, because it was not redacted yet.
        is_given: whether rows of it were sent with other values; these are in the table `given`.
    """

    columns: Mapping[str, Collection[str]]
    has_phones: bool
    is_given: bool


def _records_of_input(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, files: Sequence[Path], settings: Settings
) -> None:
    """Insert the rows of the attached stage.

    Args:
        connection: a connection to the warehouse, with the table `known`.
        dataset: the dataset of the stage.
        files: its archive.
        settings: what may be published, and the place of the warehouse that is replaced.
    """
    privacy = Privacy.of(settings)
    columns = _columns_of_findings(connection)
    table = next((one for one in ("corrected", "differing") if one in columns), "")
    is_corrected = bool(table) and is_any(connection, f"stage.{table}")
    if is_corrected:
        _load_earlier(connection, dataset.name, files, settings.warehouse)
    is_given = is_corrected and find_sent(connection, dataset, files, privacy, table)
    has_phones = bool(privacy.key) and not is_put_away(connection)
    connection.execute(_from_stage(dataset, privacy, _Staged(columns, has_phones, is_given)))


def _leave_published(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Remove the rows from `known` that are published with the current input.

    The ledger says which rows these are, unless it knew another input: it was restored, or its push was killed before
    the input was recorded. Two sums show that, where a join would have to hold all rows.
    """
    published = f"FROM imports.records WHERE dataset = '{name}' AND chunk IS NOT NULL"
    sums = "SELECT (count(*), coalesce(sum(hash(identity)), 0)) {}"
    both = f"SELECT ({sums.format(published)}) = ({sums.format('FROM known WHERE current')})"
    if connection.execute(both).fetchone() != (True,):
        connection.execute("UPDATE known SET current = false")
        connection.execute(f"DELETE FROM known WHERE identity IN (SELECT identity {published})")
    connection.execute("DELETE FROM known WHERE current")


def _records_of_earlier_inputs(
    connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], settings: Settings
) -> None:
    """Insert the rows of `known` with their facts: from the archive, else from the warehouse that is replaced.

    Args:
        connection: a connection to the warehouse, with the table `known`.
        name: the dataset.
        files: its archive.
        settings: what may be published, and the place of the warehouse that is replaced.
    """
    privacy, rest = Privacy.of(settings), "known"
    if files:
        of_archive = f"JOIN {rows_of(files)} AS a ON {_SAME_CONTENT}"
        found = count(connection, f"{_from_known('known', name, 'a', privacy)} {of_archive}")
        if found == count(connection, "SELECT count(*) FROM known"):
            return
    _load_earlier(connection, name, files, settings.warehouse)
    if files:
        rest = "rest"
        _set_rest(connection, name, files)
    of_earlier = f"LEFT JOIN earlier ON earlier.dataset = '{name}' AND earlier.identity = k.identity"
    connection.execute(f"{_from_known(rest, name, 'earlier', privacy)} {of_earlier}")


def _from_known(known: str, name: str, facts: str, privacy: Privacy) -> str:
    """Rows of earlier inputs as records; a join that gives their facts has to follow.

    Args:
        known: the table that they are in.
        name: the dataset.
        facts: the table that is joined.
        privacy: what may be published.
    """
    message, instead = "k.identity", {}
    if name == REVENUE:
        message, instead = "k.message_id", {"revenue": f"coalesce({AMOUNT}, {facts}.revenue)"}
    return (
        "INSERT INTO imports.records BY NAME"
        f" SELECT '{name}' AS dataset, k.identity, {message} AS message_id, k.outcome,"
        " nullif(w.code, '') AS code,"
        f" {_REASON} AS reason, {_EVIDENCE} AS evidence, k.chunk, tries AS attempt,"
        " coalesce(answered_at, intended_at) AS at, current AS in_input, false AS differs,"
        f" false AS differs_acknowledged, {published_facts(facts, privacy, **instead)}"
        f" FROM {known} AS k JOIN imports.chunks AS c ON c.chunk = k.chunk"
        " LEFT JOIN texts AS w ON w.identity = k.identity"
    )


def _load_earlier(
    connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], warehouse: Path
) -> None:
    """Make the table `earlier`: facts of sent rows that are not in the archive, from the warehouse that is replaced.

    An earlier version of the program archived nothing.

    Args:
        connection: a connection to the new warehouse.
        name: the dataset.
        files: its archive.
        warehouse: the warehouse that is replaced.
    """
    facts = f"CREATE OR REPLACE TEMP TABLE earlier AS SELECT dataset, identity, {_names('r')} FROM"
    if not warehouse.exists():
        connection.execute(f"{facts} imports.records AS r LIMIT 0")
        return
    unknown = f" ANTI JOIN {rows_of(files)} AS a ON a.identity = r.identity" if files else ""
    with beside(connection, warehouse, "before"):
        # the warehouse of an older program lacks columns, or the table
        where = "database_name = 'before' AND schema_name = 'imports' AND table_name = 'records'"
        has_any = is_any(connection, f"duckdb_tables() WHERE {where}")
        before = " UNION ALL BY NAME FROM before.imports.records" if has_any else ""
        connection.execute(
            f"{facts} (FROM (FROM imports.records LIMIT 0){before}) AS r{unknown}"
            f" WHERE dataset = '{name}' AND attempt > 0"
        )


def _set_rest(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> None:
    """Make the table `rest`: the rows of `known` whose content is not in the archive.

    Rows that the ledger took over have no digest; for these, the archived version with the ledger's amount, else the
    newest, is added to `earlier`.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE rest AS FROM known AS k"
        f" WHERE NOT EXISTS (SELECT 1 FROM {rows_of(files)} AS a WHERE {_SAME_CONTENT})"
    )
    best = f"a.revenue = {AMOUNT} DESC NULLS LAST, " if name == REVENUE else ""
    connection.execute(
        f"INSERT INTO earlier SELECT '{name}', identity, {_names('a')} FROM {rows_of(files)} AS a"
        " JOIN rest AS k USING (identity) WHERE k.content IS NULL"
        f" QUALIFY row_number() OVER (PARTITION BY identity ORDER BY {best}file DESC, a.content) = 1"
    )


def _names(table: str) -> str:
    return ", ".join(f"{table}.{field.name}" for field in FACTS)


def _columns_of_findings(connection: duckdb.DuckDBPyConnection) -> Mapping[str, Collection[str]]:
    """Return the columns of `corrected` and `differing` in the attached stage; older ones have fewer or no table."""
    if version_of(connection, "stage") == VERSION:
        return FINDINGS
    there = (
        "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE database_name = 'stage'"
        " AND table_name IN ('corrected', 'differing') GROUP BY 1"
    )
    return dict(connection.execute(there).fetchall())


def _from_stage(dataset: Dataset, privacy: Privacy, staged: _Staged) -> str:
    """Return the statement that inserts the current input: verdict, else the ledger's outcome, else pending.

    Args:
        dataset: the dataset of the stage.
        privacy: what may be published.
        staged: what the stage has.
    """
    code, places, line, differs = (
        ("v.code", "v.places", "i.line", "i.seq IN (SELECT seq FROM stage.differing)")
        if "differing" in staged.columns
        else ("NULL", "NULL", "NULL", "false")
    )
    seen = (
        "i.seq IN (SELECT seq FROM stage.differing WHERE acknowledged)"
        if "acknowledged" in staged.columns.get("differing", ())
        else "false"
    )
    values = ", ".join(f"{literal(name)}: i.{name}" for name in dataset.columns)
    kept = f"REPLACE ({kept_columns(dataset, privacy, 'stage.verdicts')})" if staged.has_phones else ""
    message, facts, given = _message_and_facts(dataset, privacy, is_given=staged.is_given)
    identity = "CASE WHEN o.ordinal IS NULL THEN i.base ELSE i.base || ':' || o.ordinal END"
    return (
        "INSERT INTO imports.records BY NAME"
        f" SELECT '{dataset.name}' AS dataset, {identity} AS identity, {message} AS message_id,"
        f" coalesce(v.outcome, k.outcome, 'pending') AS outcome, coalesce({code}, nullif(w.code, '')) AS code,"
        f" coalesce(v.reason || coalesce(': ' || {places}, ''), {_REASON}) AS reason,"
        f" {_EVIDENCE} AS evidence, k.chunk,"
        " coalesce(k.tries, 0) AS attempt, coalesce(c.answered_at, c.intended_at) AS at, true AS in_input,"
        f" {differs} AS differs, {seen} AS differs_acknowledged, f.path AS file, i.row, {line} AS line,"
        f" {facts},"
        " CASE WHEN coalesce(v.outcome, k.outcome) IN ('quarantined', 'rejected')"
        f" THEN coalesce(i.raw, to_json({{{values}}})) END AS raw"
        f" FROM (SELECT * {kept} FROM stage.input) AS i JOIN stage.files AS f USING (file)"
        " LEFT JOIN stage.verdicts AS v ON v.seq = i.seq LEFT JOIN stage.ordinals AS o ON o.seq = i.seq"
        f" LEFT JOIN known AS k ON v.outcome IS NULL AND k.identity = {identity}"
        " LEFT JOIN texts AS w ON w.identity = k.identity"
        f" LEFT JOIN imports.chunks AS c ON c.chunk = k.chunk{given}"
    )


def _message_and_facts(dataset: Dataset, privacy: Privacy, *, is_given: bool) -> tuple[str, str, str]:
    """Return SQL for a row's message and facts, as sent if known, else as in the file; and the join that they need.

    Args:
        dataset: the dataset of the stage.
        privacy: what may be published.
        is_given: whether there are rows that were sent with other values than their file has.
    """
    message = "i.id" if dataset.name == "sends" else "i.message_id"
    facts = facts_by_name(dataset, privacy, "i")
    if is_given:
        message = f"coalesce(g.message_id, {message})"
        facts = {name: f"CASE WHEN g.is_known THEN g.{name} ELSE {fact} END" for name, fact in facts.items()}
        facts["revenue"] = f"coalesce(g.amount, {facts['revenue']})"
    join = " LEFT JOIN given AS g ON g.seq = i.seq" if is_given else ""
    return message, ", ".join(f"{fact} AS {name}" for name, fact in facts.items()), join
