"""Finds sends and clicks that a lost ledger had as sent, and that were corrected in their file since.

The account keeps what it was sent first, so such a row must not count as sent with the present values of its file. It
is recorded with the archived values, as a row of a call without an answer: it goes again alone, and the answer shows
whether the account had it (`send.queries`). The warehouse knows which rows were sent; if it was lost too, every row
archived before the ledger began may have been sent. What does not belong here: rows that their file still has as they
were sent, which the API skips, revenue (`adopt`), and which of the rows differ in the end (`checks.compare`).
"""

from collections.abc import Sequence
from datetime import datetime
from math import inf

import duckdb

from pipelines.push.audit.archive.files import archive_folder, archived
from pipelines.push.audit.archive.rows import all_archived
from pipelines.push.audit.lost_ledger.survivors import calls_of, opened_warehouse, records_of
from pipelines.push.checks import differing_rows
from pipelines.push.checks.known_rows import IS_NEW
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.statements import KEPT, LedgerRows
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import is_any, read
from pipelines.push.values.content_digest import changed, kept_content
from pipelines.settings import Settings
from pipelines.storage import storage_errors
from pipelines.trackly.imports import MAX_RECORDS
from pipelines.warehouse.published import for_pushes
from schemas.derived.tables import literal
from schemas.registry import PUSHED

_WHY = "sent by a push that the ledger does not know, and corrected since; it is sent again"

_OF_SENDS = {
    "contact": "CASE WHEN a.phone_number LIKE '+%' THEN kept_phone(a.phone_number) ELSE a.phone_number END",
    "list_ref": "coalesce(a.list_number, CAST(a.list_id AS VARCHAR))",
}
"""What the ledger keeps of a send, as SQL from its archived row."""

_TOLD_BY = ("happened_at", "list_id", "list_number", "offer_id", "phone_number", "send_timestamp", "length")
"""Facts that show which archived version of a row was sent; only a few, as all rows may have several versions."""


def put_on_record(
    connection: duckdb.DuckDBPyConnection, settings: Settings, dataset: str, ledger: Ledger
) -> None:
    """Record such rows of a stage as pending, with the values that they were sent with.

    Args:
        connection: the stage, compared with the ledger; the tables of that comparison are updated.
        settings: the place of warehouse and archive.
        dataset: sends or clicks.
        ledger: a ledger that is open for writing.

    Raises:
        StorageError: the warehouse or the archive cannot be read, or the ledger cannot be written.
    """
    if not archived(archive_folder(settings, dataset)) or not is_any(connection, f"ready WHERE {IS_NEW}"):
        return
    old = _older_files(settings, dataset, ledger)
    if not (old or _may_be_forgotten(settings, dataset, ledger)):
        return
    with all_archived(settings, dataset) as archive:
        if not _find_corrected(connection, dataset, archive):
            return
    _load(connection, old)
    with opened_warehouse(settings) as warehouse:
        if warehouse and (query := _forgotten(warehouse, dataset, ledger)):
            _load_published(connection, warehouse, query)
    _find_sent(connection, dataset)
    if is_any(connection, "sent_otherwise"):
        _put_on_record(connection, dataset, ledger)


def _put_on_record(connection: duckdb.DuckDBPyConnection, dataset: str, ledger: Ledger) -> None:
    """Record the rows of `sent_otherwise` as rows of calls without an answer, in the ledger and in `known`."""
    seen = ledger.last_chunk(dataset)
    result = connection.execute(f"SELECT {', '.join(KEPT[dataset])} FROM sent_otherwise ORDER BY identity")
    while rows := result.fetchmany(MAX_RECORDS):
        columns = LedgerRows.of([list(column) for column in zip(*rows, strict=True)])
        ledger.lose(dataset, ledger.intend(dataset, columns, 0, again=False, seen=seen), _WHY)
    connection.execute(
        "INSERT INTO known BY NAME SELECT identity, content, 0 AS chunk, true AS own, true AS current,"
        f" true AS ours, false AS packed, '{Outcome.PENDING}' AS outcome FROM sent_otherwise"
    )
    differing_rows.find(connection, PUSHED[dataset], ledger)


def _may_be_forgotten(settings: Settings, dataset: str, ledger: Ledger) -> bool:
    """Return whether the warehouse has calls that the ledger does not know, or sent rows without a call."""
    found = for_pushes(settings.warehouse)
    with ledger.figures() as figures:
        on_record = figures.calls_on_record()
    is_gone = any(name == dataset and at not in on_record for at, name in found.calls)
    return is_gone or dataset in found.without_call


def _forgotten(warehouse: duckdb.DuckDBPyConnection, dataset: str, ledger: Ledger) -> str:
    """Return the query for the warehouse's rows of calls that the ledger does not know; "" if there are none.

    Rows that `forgotten_sends` carries have no call any more.
    """
    with ledger.figures() as figures:
        on_record = figures.calls_on_record()
    calls = calls_of(warehouse, (dataset,)).items()
    gone = [str(number) for number, (at, _) in calls if at not in on_record]
    is_gone = f" OR chunk IN ({', '.join(gone)})" if gone else ""
    rows = (
        f"{records_of(warehouse)} WHERE dataset = {literal(dataset)} AND attempt > 0"
        f" AND outcome <> '{Outcome.REJECTED}' AND (chunk IS NULL{is_gone})"
    )
    query = (
        f"SELECT identity, {', '.join(_TOLD_BY)} FROM {rows}"
        " QUALIFY row_number() OVER (PARTITION BY identity ORDER BY in_input DESC) = 1"
    )
    return query if is_any(warehouse, rows) else ""


def _find_corrected(connection: duckdb.DuckDBPyConnection, dataset: str, archive: str) -> bool:
    """Make the table `archived_of`: archived versions of new rows that have a differing one; return if any."""
    kept = "".join(f", {_OF_SENDS[name]} AS {name}" for name in KEPT[dataset] if name in _OF_SENDS)
    told_by = ", ".join(f"a.{name}" for name in _TOLD_BY)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE archived_of AS SELECT a.identity, a.content{kept}, a.file, {told_by},"
        f" {changed('a.content', 'r.now')} AS is_other"
        f" FROM (SELECT identity, {kept_content(PUSHED[dataset])} AS now FROM ready WHERE {IS_NEW}) AS r"
        f" JOIN {archive} AS a ON a.identity = r.identity"
        " QUALIFY bool_or(is_other) OVER (PARTITION BY a.identity)"
    )
    return is_any(connection, "archived_of")


def _older_files(settings: Settings, dataset: str, ledger: Ledger) -> list[str]:
    """Return the archive's files that are older than the ledger: another ledger knew the outcomes of their rows."""
    first = ledger.first_intake(dataset)
    begun = datetime.fromisoformat(first).timestamp() if first else inf
    files = archived(archive_folder(settings, dataset))
    with storage_errors("read", archive_folder(settings, dataset)):
        return [str(path) for path in files if path.stat().st_mtime < begun]


def _load(connection: duckdb.DuckDBPyConnection, old: Sequence[str]) -> None:
    """Make the table `forgotten`: rows of `archived_of` that are in old files, each with its first version."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE forgotten AS SELECT identity, {', '.join(_TOLD_BY)} FROM archived_of"
        " WHERE file IN (SELECT unnest(?::VARCHAR[]))"
        " QUALIFY row_number() OVER (PARTITION BY identity ORDER BY file, content) = 1",
        [list(old)],
    )


def _load_published(
    connection: duckdb.DuckDBPyConnection, warehouse: duckdb.DuckDBPyConnection, query: str
) -> None:
    """Put the warehouse's rows of `archived_of` into `forgotten`, in place of others: it knows their outcomes."""
    for rows in read(warehouse, query):
        connection.register("of_warehouse", rows)
        connection.execute(
            "DELETE FROM forgotten WHERE identity IN (SELECT identity FROM of_warehouse);"
            "INSERT INTO forgotten BY NAME SELECT * FROM of_warehouse"
            " WHERE identity IN (SELECT identity FROM archived_of)"
        )
        connection.unregister("of_warehouse")


def _find_sent(connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Make the table `sent_otherwise`: the rows of `archived_of` that were sent, with the values of then."""
    like = " + ".join(f"(a.{name} IS NOT DISTINCT FROM f.{name})::INTEGER" for name in _TOLD_BY)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE sent_otherwise AS SELECT {', '.join(KEPT[dataset])} FROM (SELECT a.*"
        " FROM archived_of AS a JOIN forgotten AS f ON f.identity = a.identity"
        f" QUALIFY row_number() OVER (PARTITION BY a.identity ORDER BY {like} DESC, a.file, a.content) = 1)"
        " WHERE is_other"
    )
