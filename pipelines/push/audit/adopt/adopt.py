"""Takes over revenue that warehouse or archive know was sent, and a lost or restored ledger does not know.

Sent again, this revenue would count twice, so pushes are refused until the latest ledger is put back, or the revenue
is taken over (`adopt`). Sends and clicks need neither, because the API skips repeats. What does not belong here: how
the ledger keeps what is taken over (`ledger.queries.revenue.adopt`), and detecting a lost ledger
(`audit.lost_ledger`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb

from pipelines.push.audit.adopt.amounts import amount_of_rows, with_amounts
from pipelines.push.audit.adopt.as_sent import with_digests
from pipelines.push.audit.adopt.current_input import note_input, refuse_damaged_stages
from pipelines.push.audit.alerts import watched_push
from pipelines.push.audit.lost_ledger.detect import Surviving
from pipelines.push.audit.lost_ledger.survivors import (
    add_rows,
    calls_of,
    opened_archive,
    opened_warehouse,
    records_of,
)
from pipelines.push.audit.publish.decided import publish_decided
from pipelines.push.ledger.db.call_states import REVENUE, ChunkState
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.lock import part_lock, push_lock
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.adopt import Settled, Unsure, adopt_calls, unsure
from pipelines.push.outcomes import Outcome
from pipelines.runs.recording import details, recorded, this_run
from pipelines.settings import Settings
from pipelines.warehouse.publish import note_runs
from pipelines.warehouse.swap import dicts
from schemas.values.outcomes import IN_ACCOUNT, sql_list

_WHOLE = "SELECT * FROM imports.chunks WHERE chunk IN (SELECT unnest(?::BIGINT[])) ORDER BY chunk"
_COLUMNS = "identity, r.chunk, outcome, code, reason, attempt, r.message_id, revenue, offer_id, happened_at"
_ONCE = " QUALIFY row_number() OVER (PARTITION BY identity ORDER BY in_input DESC) = 1"
_ROWS = (
    f"SELECT {_COLUMNS} FROM {{records}} AS r"
    f" WHERE dataset = '{REVENUE}' AND identity IS NOT NULL AND chunk IN (SELECT unnest(?::BIGINT[])){_ONCE}"
)
_SETTLED = (
    f"SELECT {_COLUMNS}, intended_at FROM {{records}} AS r JOIN imports.chunks AS c ON c.chunk = r.chunk"
    f" WHERE r.dataset = '{REVENUE}' AND outcome IN {sql_list((*IN_ACCOUNT, Outcome.REJECTED))}"
    f" AND identity IN (SELECT unnest(?::VARCHAR[])){_ONCE}"
)
_ANSWERED = (
    f"SELECT * FROM imports.chunks WHERE dataset = '{REVENUE}' AND state = '{ChunkState.ANSWERED.value}'"
)


@dataclass(frozen=True, slots=True)
class Adopted:
    """The result of taking over.

    Attributes:
        calls: calls that the ledger did not know.
        rows: rows of these calls, and rows of known calls that the ledger had in doubt or pending.
        in_doubt: rows of these calls for which it is unknown whether they are in the account.
        amount: revenue of all rows except the `unknown` ones, in the account's currency.
        settled: those of the rows that belong to known calls.
        unknown: rows whose amounts no record has; an earlier version published none.
    """

    calls: int = 0
    rows: int = 0
    in_doubt: int = 0
    amount: Decimal = Decimal(0)
    settled: int = 0
    unknown: int = 0

    def __add__(self, other: "Adopted") -> "Adopted":
        return Adopted(
            self.calls + other.calls,
            self.rows + other.rows,
            self.in_doubt + other.in_doubt,
            self.amount + other.amount,
            self.settled + other.settled,
            self.unknown + other.unknown,
        )


@watched_push
def adopt(settings: Settings) -> Adopted:
    """Take over into the ledger revenue that was sent, that another record knows and the ledger does not.

    Accepted rows are accepted and are not sent again, even if the ledger has an earlier state of them: pending, under
    way or in doubt. Rows without an answer are in doubt, and a person must settle them, because the totals before
    them are not recorded.

    Raises:
        BusyError: a push is under way.
        StorageError: the ledger or the warehouse cannot be read or written.
    """
    with push_lock(settings.data_dir), open_ledger(settings) as ledger, part_lock(ledger):
        refuse_damaged_stages(settings)
        with recorded(settings.data_dir, this_run(), "adopt") as record:
            done = _take_over(settings, ledger)
            record.rows = done.rows
            record.details = details(calls=done.calls, in_doubt=done.in_doubt, amount=str(done.amount))
        if done.rows or done.calls:
            note_input(settings, ledger)
            publish_decided(settings)
        else:
            note_runs(settings)
    return done


def _take_over(settings: Settings, ledger: Ledger) -> Adopted:
    """Take over from each surviving record, first from the one with the latest call."""
    surviving = Surviving.of(settings)
    with ledger.figures() as figures:
        found = surviving.unknown_to(figures)
        known = figures.revenue_on_record() if found.rows else ()
    with_old = bool(found.datasets or found.rows)
    with opened_warehouse(settings) as warehouse, opened_archive(settings, with_old=with_old) as archive:
        if archive:
            add_rows(archive, settings, [*_sent(warehouse), *known])
        survivors = [connection for connection in (archive, warehouse) if connection]
        if not survivors:
            return Adopted()
        ledger.recover(REVENUE)  # no call is under way now: calls recorded as under way were cut off
        survivors.sort(key=_latest, reverse=True)
        done = [_take_from(settings, connection, ledger) for connection in survivors]
    return sum(done, start=Adopted())


def _sent(warehouse: duckdb.DuckDBPyConnection | None) -> list[str]:
    """Return the identities of revenue that the warehouse has in a call."""
    if warehouse is None:
        return []
    rows = warehouse.execute(
        f"SELECT identity FROM imports.records WHERE dataset = '{REVENUE}'"
        " AND chunk IS NOT NULL AND identity IS NOT NULL"
    )
    return [identity for (identity,) in rows.fetchall()]


def _latest(connection: duckdb.DuckDBPyConnection) -> datetime:
    """Return when the latest call in a surviving record was meant to be sent."""
    return max((at for at, _ in calls_of(connection).values()), default=datetime.min.replace(tzinfo=UTC))


def _take_from(settings: Settings, connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> Adopted:
    """Take over from one record: calls that the ledger does not know, and outcomes of rows that it has open."""
    with ledger.figures() as figures:
        known = figures.calls_on_record()
    numbers = [number for number, (at, _) in calls_of(connection, (REVENUE,)).items() if at not in known]
    with ledger.begin() as transaction:
        open_rows = unsure(transaction, ledger.part)
    calls = dicts(connection, _WHOLE, numbers)
    rows = with_amounts(
        settings, calls, dicts(connection, _ROWS.format(records=records_of(connection)), numbers)
    )
    settled = _settled(connection, open_rows, set(numbers))
    if calls or settled.rows:
        adopt_calls(ledger, calls, with_digests(settings, rows), settled)
    amount, unknown = amount_of_rows(calls, rows)
    of_settled, unknown_too = amount_of_rows((), with_amounts(settings, (), settled.rows))
    doubts = sum(row["outcome"] == Outcome.IN_DOUBT for row in rows)
    return Adopted(
        calls=len(calls),
        rows=len(rows) + len(settled.rows),
        in_doubt=doubts,
        amount=amount + of_settled,
        settled=len(settled.rows),
        unknown=unknown + unknown_too,
    )


def _settled(
    connection: duckdb.DuckDBPyConnection, open_rows: Sequence[Unsure], unknown: set[int]
) -> Settled:
    """Return what the record knows about rows that the ledger has in doubt or pending.

    Accepted and duplicate are final. Rejected is not, because a row may have been tried again since: it is believed
    only if the row's same call has no answer in the ledger.

    Args:
        connection: a connection to the surviving record.
        open_rows: the rows that are in doubt or pending.
        unknown: calls that the ledger does not know; their rows are taken over with them.
    """
    ours = {row.identity: row for row in open_rows}
    rows = [
        {**row, "chunk": ours[row["identity"]].chunk}
        for row in dicts(connection, _SETTLED.format(records=records_of(connection)), list(ours))
        if row["chunk"] not in unknown and _is_believed(row, ours[row["identity"]])
    ]
    answered = {call["intended_at"]: call for call in dicts(connection, _ANSWERED)}
    in_doubt = {row.chunk: datetime.fromisoformat(row.intended_at) for row in open_rows if row.is_in_doubt}
    return Settled(rows, {chunk: answered[at] for chunk, at in in_doubt.items() if at in answered})


def _is_believed(row: Mapping[str, Any], mine: Unsure) -> bool:
    """Return whether the record's outcome of a row is later than the ledger's."""
    if row["outcome"] in IN_ACCOUNT:
        return True
    return mine.is_in_doubt and row["intended_at"] == datetime.fromisoformat(mine.intended_at)
