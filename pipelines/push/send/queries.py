"""Rows on their way out of a stage: which go, in which order, encoded and in batches.

Revenue goes in waves, in each of which every contact has one row: the next begins when every answer of the one before
is there. So of a contact at most one row is in doubt at a time, and its totals show whether it was stored. What does
not belong here: which rows are in the account already (`checks.compare`), and cutting chunks (`calls.chunks`).
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
"""Rows of the first small call; their errors are all named (at most 100 are)."""

MOST_WAVES = 1000
"""Rows of one contact beyond so many go together in the last wave: few contacts have more conversions."""

_MOST_ALONE = 500
"""Calls of a single row: further ones go together, and those that were skipped are not known one by one."""

_SEND_ROWS = 10_000  # a batch is encoded while the event loop waits

_CONTENT = {name: kept_content(dataset) for name, dataset in PUSHED.items()}

_KEPT = {
    "sends": f", {_CONTENT['sends']}, kept_phone(to_number), coalesce(list_number, CAST(list_id AS VARCHAR))",
    "clicks": f", {_CONTENT['clicks']}",
    "revenue": f", {_CONTENT['revenue']}, p.contact, coalesce(k.list_key, p.list_ref), message_id,"
    f" {sql_units('revenue')}, t.amount, t.count, n.phone_amount, n.phone_count,"
    f" {likeness(PUSHED['revenue'])}, s.source",
}
"""What the ledger keeps of a row beside its identity, in the order of LedgerRows, as far as the dataset has it."""


def _record(name: str, presence: Presence = frozenset()) -> str:
    return f"encode({record(PUSHED[name].fields, presence, '},')})"


_RECORD = {name: _record(name) for name in PUSHED}
"""What `chunks` takes of a row. A column of `ready` would be made of every row, before any is chosen."""

_ROWS = {
    "sends": "ready",
    "clicks": "ready",
    "revenue": "ready LEFT JOIN parents AS p ON p.identity = ready.message_id"
    " LEFT JOIN list_keys AS k ON k.ref = p.list_ref"
    " LEFT JOIN totals AS t ON t.contact = p.contact AND t.list_key = coalesce(k.list_key, p.list_ref)"
    " LEFT JOIN (SELECT DISTINCT contact, phone_amount, phone_count FROM totals) AS n ON n.contact = p.contact"
    " LEFT JOIN sources AS s ON s.file = ready.file",
}
"""Where those columns come from; for revenue from the tables of `TotalsInStage`, and `checks.revenue.overlaps`."""


class Queue:
    """The rows of a compared stage that are to be sent.

    Args:
        compared: the stage.
        totals: for revenue, the reading of the contacts whose totals go on record with the rows.

    Raises:
        ValueError: revenue without totals.
    """

    def __init__(self, compared: Compared, totals: TotalsInStage | None = None) -> None:
        if compared.dataset == REVENUE and totals is None:
            raise ValueError("Revenue goes on record with the totals of its contacts.")
        self._connection, self._dataset = compared.connection, compared.dataset
        self._compared = compared

    def canary(self) -> Iterator[Batch]:
        """A few rows that the ledger does not know, from all over the input; `new` leaves them out from then on.

        Of revenue, no two are of one contact, as in a wave.
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
        """The rows that the ledger does not know, sorted by identity, which is cheapest for the ledger."""
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
        # several threads would hand on rows as each happens to have them, and to sort many they need more memory
        self._connection.execute("SET threads = 1")
        yield self._batches(
            # sorted first and encoded then: the sort moves less, and what is encoded can leave at once
            f"SELECT identity{_KEPT[name]}, {_record(name, self._presence())}, {MAX_RECORDS} AS most"
            f" FROM (SELECT identity, content, {columns} FROM ready WHERE {IS_NEW}{order}) AS ready",
        )

    def again(self, limits: Sequence[tuple[str, int]]) -> Waves:
        """Given rows, each with the most rows that its chunk may have; those not in the stage are left out."""
        name = self._dataset
        identities, most = zip(*limits, strict=True)
        self._connection.execute("CREATE OR REPLACE TEMP TABLE again (identity VARCHAR, most INTEGER)")
        rows = pa.table({"identity": pa.array(identities), "most": pa.array(most, pa.int32())})
        insert(self._connection, "again", rows)
        chosen = f"{_ROWS[name]} JOIN again ON again.identity = ready.identity"
        if name == REVENUE:
            yield from self._waves(f"SELECT ready.identity, again.most, p.contact FROM {chosen}")
        else:
            # what was corrected since goes by itself: whether it had arrived is what the account has, see `_only_now`
            self._connection.execute(
                "UPDATE again SET most = 1 WHERE identity IN"
                f" (SELECT identity FROM corrected JOIN again USING (identity) LIMIT {_MOST_ALONE})"
            )
            yield self._batches(
                f"SELECT ready.identity{_KEPT[name]}, {_RECORD[name]}, most FROM {chosen}"
                " ORDER BY most DESC, ready.identity",
            )

    def retries(self, ledger: Ledger) -> list[Retry]:
        """The rows that calls have left pending and that are to be sent again."""
        return self._compared.retries(ledger)

    def _presence(self) -> Presence:
        """Of which fields all rows that may be sent have a value, and of which none."""
        names = PUSHED[self._dataset].columns
        counts = ", ".join(f"count({name})" for name in names)
        ((rows, *found),) = self._connection.execute(f"SELECT count(*), {counts} FROM ready").fetchall()
        return frozenset(
            (name, number > 0) for name, number in zip(names, found, strict=True) if number in (0, rows)
        )

    def _waves(self, rows: str) -> Waves:
        """Rows of revenue, given by a query of identity, most and contact."""
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
    """The same batches, the next one encoded by a thread while the last one is on its way.

    After the block the query that they come from is closed, also where it was not read to its end.
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
    """What the API is given of rows of revenue, as a digest; of those in the stage."""
    connection.execute("CREATE OR REPLACE TEMP TABLE asked_rows (identity VARCHAR)")
    insert(connection, "asked_rows", pa.table({"identity": pa.array(identities, pa.string())}))
    found = connection.execute(
        f"SELECT identity, sha256({record(PUSHED[REVENUE].fields)}) FROM ready"
        " WHERE identity IN (SELECT identity FROM asked_rows)"
    )
    return dict(found.fetchall())
