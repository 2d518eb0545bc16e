"""Selects the rows of a stage to send, in which order, and encodes them in batches.

Revenue goes in waves with one row of each contact; a wave begins when every call of the wave before is answered. So
at most one row of a contact is in doubt at a time, and the contact's totals show whether it was stored. What does not
belong here: which rows are in the account already (`checks.compare`), and cutting chunks (`calls.chunks`).
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.push.checks.compared import Compared
from pipelines.push.checks.known_rows import IS_NEW
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.pending import Retry
from pipelines.push.ledger.statements import LedgerRows
from pipelines.push.send.calls.chunks import Batch
from pipelines.push.stage.database import in_order, read
from pipelines.push.stage.totals import TotalsInStage
from pipelines.push.values.api_records import Presence, record
from pipelines.push.values.content_digest import kept_content, likeness
from pipelines.trackly.imports import MAX_NAMED_ERRORS, MAX_RECORDS
from pipelines.warehouse.structure.tables import insert
from schemas.registry import PUSHED
from schemas.values.money import sql_units

Waves = Iterator[Iterator[Batch]]

CANARY_ROWS = 50
"""Rows of the first small call: few enough that all their errors are named (at most 100 are)."""

MOST_WAVES = 1000
"""Rows of one contact beyond this number go together in the last wave; few contacts have more conversions."""

_MOST_ALONE = 500
"""Most calls of a single row. Further rows share a call, and it is unknown which of them were skipped."""

_SEND_ROWS = 10_000  # a batch is encoded while the event loop waits

_CONTENT = {name: kept_content(dataset) for name, dataset in PUSHED.items()}

_KEPT = {
    "sends": f", {_CONTENT['sends']}, kept_phone(to_number), coalesce(list_number, CAST(list_id AS VARCHAR))",
    "clicks": f", {_CONTENT['clicks']}",
    "revenue": f", {_CONTENT['revenue']}, p.contact, coalesce(k.list_key, p.list_ref), message_id,"
    f" {sql_units('revenue')}, t.amount, t.count, n.phone_amount, n.phone_count,"
    f" {likeness(PUSHED['revenue'])}, s.source",
}
"""What the ledger keeps of a row besides its identity, in the order of LedgerRows, as far as the dataset has it."""


def _record(name: str, presence: Presence = frozenset()) -> str:
    return f"encode({record(PUSHED[name].fields, presence, '},')})"


_RECORD = {name: _record(name) for name in PUSHED}
"""The encoded record of a row. As a column of `ready` it would be computed for every row, before rows are chosen."""

_ROWS = {
    "sends": "ready",
    "clicks": "ready",
    "revenue": "ready LEFT JOIN parents AS p ON p.identity = ready.message_id"
    " LEFT JOIN list_keys AS k ON k.ref = p.list_ref"
    " LEFT JOIN totals AS t ON t.contact = p.contact AND t.list_key = coalesce(k.list_key, p.list_ref)"
    " LEFT JOIN (SELECT DISTINCT contact, phone_amount, phone_count FROM totals) AS n ON n.contact = p.contact"
    " LEFT JOIN sources AS s ON s.file = ready.file",
}
"""The sources of those columns; for revenue the tables of `TotalsInStage` and `checks.revenue.overlaps`."""


class Queue:
    """The rows of a compared stage that are sent.

    Args:
        compared: the stage.
        totals: for revenue, the reading of the contacts' totals that the ledger records with the rows.

    Raises:
        ValueError: revenue without totals.
        ValueError: revenue without totals.
    """

    def __init__(self, compared: Compared, totals: TotalsInStage | None = None) -> None:
        if compared.dataset == REVENUE and totals is None:
            raise ValueError("Revenue goes on record with the totals of its contacts.")
        self._connection, self._dataset = compared.connection, compared.dataset
        self._compared = compared

    def canary(self) -> Iterator[Batch]:
        """Yield a few new rows from all over the input; `new` leaves them out afterwards.

        Of revenue, no two rows are of one contact, as in a wave.
        """
        name = self._dataset
        chosen = f"SELECT identity FROM ready WHERE {IS_NEW}"
        if name == REVENUE:
            chosen = (
                f"SELECT ready.identity FROM {_ROWS[name]} WHERE {IS_NEW}"
                " QUALIFY row_number() OVER (PARTITION BY p.contact ORDER BY hash(ready.identity)) = 1"
            )
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE canary AS"
            f" SELECT identity FROM ({chosen}) ORDER BY hash(identity) LIMIT {CANARY_ROWS}"
        )
        yield from self._batches(
            f"SELECT ready.identity{_KEPT[name]}, {_RECORD[name]}, {CANARY_ROWS} AS most FROM {_ROWS[name]}"
            " WHERE ready.identity IN (SELECT identity FROM canary) ORDER BY ready.identity",
        )
        self._connection.execute("INSERT INTO known (identity) FROM canary")

    def new(self) -> Waves:
        """Yield rows that the ledger does not know, sorted by identity, which is the ledger's cheapest order."""
        name = self._dataset
        if name == REVENUE:
            unseen = "t.contact IS NULL AND EXISTS (SELECT 1 FROM totals)"
            risky = f"seq IN (SELECT seq FROM risky) OR ({unseen})"
            limit = f"CASE WHEN {risky} THEN {MAX_NAMED_ERRORS} ELSE {MAX_RECORDS} END"
            yield from self._waves(
                f"SELECT ready.identity, {limit} AS most, p.contact FROM {_ROWS[name]} WHERE {IS_NEW}"
            )
            return
        columns = ", ".join(PUSHED[name].columns)
        order = "" if in_order(self._connection) else " ORDER BY identity"
        # with several threads the rows would not keep their order, and sorting them would take more memory
        self._connection.execute("SET threads = 1")
        yield self._batches(
            # sort before encoding: less data is sorted, and encoded rows can be sent without delay
            f"SELECT identity{_KEPT[name]}, {_record(name, self._presence())}, {MAX_RECORDS} AS most"
            f" FROM (SELECT identity, content, {columns} FROM ready WHERE {IS_NEW}{order}) AS ready",
        )

    def again(self, limits: Sequence[tuple[str, int]]) -> Waves:
        """Yield rows to send again, given with the most rows of their chunk; rows not in the stage are left out."""
        name = self._dataset
        identities, most = zip(*limits, strict=True)
        self._connection.execute("CREATE OR REPLACE TEMP TABLE again (identity VARCHAR, most INTEGER)")
        rows = pa.table({"identity": pa.array(identities), "most": pa.array(most, pa.int32())})
        insert(self._connection, "again", rows)
        chosen = f"{_ROWS[name]} JOIN again ON again.identity = ready.identity"
        if name == REVENUE:
            yield from self._waves(f"SELECT ready.identity, again.most, p.contact FROM {chosen}")
        else:
            # a corrected row goes alone: then the answer shows whether it had arrived earlier, see `_only_now`
            self._connection.execute(
                "UPDATE again SET most = 1 WHERE identity IN"
                f" (SELECT identity FROM corrected JOIN again USING (identity) LIMIT {_MOST_ALONE})"
            )
            yield self._batches(
                f"SELECT ready.identity{_KEPT[name]}, {_RECORD[name]}, most FROM {chosen}"
                " ORDER BY most DESC, ready.identity",
            )

    def retries(self, ledger: Ledger) -> list[Retry]:
        """Return the rows that calls have left pending and that are sent again."""
        return self._compared.retries(ledger)

    def _presence(self) -> Presence:
        """Return the fields that have a value in all rows of `ready`, and those that have one in none."""
        names = PUSHED[self._dataset].columns
        counts = ", ".join(f"count({name})" for name in names)
        ((rows, *found),) = self._connection.execute(f"SELECT count(*), {counts} FROM ready").fetchall()
        return frozenset(
            (name, number > 0) for name, number in zip(names, found, strict=True) if number in (0, rows)
        )

    def _waves(self, rows: str) -> Waves:
        """Yield waves of revenue; `rows` is a query of identity, most and contact."""
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE outgoing AS SELECT identity, most,"
            f" least(row_number() OVER (PARTITION BY contact ORDER BY identity), {MOST_WAVES}) AS wave FROM ({rows})"
        )
        numbers = self._connection.execute("SELECT DISTINCT wave FROM outgoing ORDER BY wave").fetchall()
        for (number,) in numbers:
            yield self._batches(
                f"SELECT ready.identity{_KEPT[REVENUE]}, {_RECORD[REVENUE]}, o.most FROM {_ROWS[REVENUE]}"
                f" JOIN outgoing AS o ON o.identity = ready.identity WHERE o.wave = {number}"
                " ORDER BY o.most DESC, ready.identity",
            )

    def _batches(self, query: str) -> Iterator[Batch]:
        for batch in read(self._connection, query, _SEND_ROWS):
            columns: list[Any] = batch.columns
            *kept, records, limits = columns
            rows = LedgerRows.of([column.to_pylist() for column in kept])
            yield Batch.of(rows, records, limits.to_pylist())


@contextmanager
def ahead(batches: Iterable[Batch]) -> Iterator[Iterator[Batch]]:
    """Yield the same batches; a thread encodes the next batch while the last one is sent.

    When the block ends, the query of the batches is closed, even if it was not read to its end.
    """
    rows = iter(batches)
    try:
        with ThreadPoolExecutor(1) as thread:

            def each() -> Iterator[Batch]:
                coming = thread.submit(next, rows, None)
                while (batch := coming.result()) is not None:
                    coming = thread.submit(next, rows, None)
                    yield batch

            yield each()
    finally:
        if isinstance(rows, Generator):
            rows.close()


def contents(connection: duckdb.DuckDBPyConnection, identities: Sequence[str]) -> dict[str, str]:
    """Return a digest of the JSON record of rows of revenue, by identity, for those in the stage."""
    connection.execute("CREATE OR REPLACE TEMP TABLE asked_rows (identity VARCHAR)")
    insert(connection, "asked_rows", pa.table({"identity": pa.array(identities, pa.string())}))
    found = connection.execute(
        f"SELECT identity, sha256({record(PUSHED[REVENUE].fields)}) FROM ready"
        " WHERE identity IN (SELECT identity FROM asked_rows)"
    )
    return dict(found.fetchall())
