"""A stage that was compared with the ledger: what a push may send of it, and which rows wait.

What does not belong here: comparing (`compare`), and the order and form in which rows are sent (`send.queries`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb
import pyarrow as pa

from pipelines.push.checks.differing_rows import find_answered
from pipelines.push.checks.known_rows import IS_NEW
from pipelines.push.checks.revenue.synced_by_tune import SYNCED
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.pending import Retry, called, to_retry
from pipelines.push.ledger.statements import InputChanges
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import count
from pipelines.text.humanize import form, plural
from pipelines.warehouse.structure.tables import insert
from schemas.derived.tables import literal
from schemas.values.outcomes import sql_list

Period = tuple[datetime, datetime]
"""The first instant, and the one after the last."""

_HELD_BACK = (Outcome.QUARANTINED, Outcome.PARKED)


@dataclass(frozen=True, slots=True)
class Compared:
    """A stage that `compare` has compared with the ledger, so that its new rows can be selected.

    Attributes:
        connection: the connection of the stage; it has the temporary tables `known` and, for clicks and revenue,
            `parents` (the sends: identity, outcome, contact, list_ref).
        dataset: the dataset of the stage.
        rows_in: rows of the input.
        held: how many of them are quarantined, duplicate and parked.
        changes: which rows of the ledger came into the input or left it since the last `record`.
        between: the period whose rows may be sent, set by `of_period`; None for all rows.
        archive: for revenue, the relation to select archived rows from; "" if nothing is archived.
    """

    connection: duckdb.DuckDBPyConnection
    dataset: str
    rows_in: int
    held: dict[str, int]
    changes: InputChanges
    between: Period | None = None
    archive: str = ""

    def record(self, ledger: Ledger) -> None:
        """Record the current input in the ledger."""
        ledger.take_in(self.dataset, self.rows_in, self.held, self.changes)

    def known(self) -> int:
        """Return how many rows of the input have a call or an outcome in the ledger."""
        return count(
            self.connection, "SELECT count(*) FROM ready WHERE identity IN (SELECT identity FROM known)"
        )

    def new(self) -> int:
        """Return how many rows have not been sent before and need not wait."""
        return count(self.connection, f"SELECT count(*) FROM ready WHERE {IS_NEW}")

    def later(self, ledger: Ledger) -> int:
        """Return how many pending rows have to wait, because of `of_period` or `wait_for`."""
        return self.new_later() + self.retries_later(ledger)

    def new_later(self) -> int:
        """Return how many new rows have to wait."""
        return count(self.connection, "SELECT count(*) FROM known WHERE chunk IS NULL")

    def held_back(self, reason: str = "") -> int:
        """Return how many rows of the period are quarantined or parked, if given, for one reason."""
        held = f"outcome IN {sql_list(_HELD_BACK)}" + (f" AND reason = {literal(reason)}" if reason else "")
        return self._count("verdicts", held)

    def differing(self) -> int:
        """Return how many rows of the period differ from what was sent and are not acknowledged."""
        return self._count("differing", "NOT acknowledged")

    def _count(self, table: str, condition: str) -> int:
        """Return how many rows of a table of the stage are of the period."""
        rows = f"SELECT count(*) FROM {table}"
        if self.between is None:
            return count(self.connection, f"{rows} WHERE {condition}")
        within = is_within(self.between)
        return count(self.connection, f"{rows} JOIN input USING (seq) WHERE {condition} AND {within}")

    def answered(self, ledger: Ledger) -> int:
        """Return how many corrected rows of the period turned out to be in the account as they were first sent."""
        found = find_answered(self.connection, self.dataset, ledger)
        answered = f"SELECT count(*) FROM answered JOIN input USING (seq) WHERE {is_within(self.between)}"
        return count(self.connection, answered) if found else 0

    def own(self, identities: Collection[str]) -> set[str]:
        """Return the identities that a push may send: all, or with a period those of rows whose time is within it."""
        if self.between is None or not identities:
            return set(identities)
        self.connection.execute("CREATE OR REPLACE TEMP TABLE asked_for (identity VARCHAR)")
        rows = pa.table({"identity": pa.array(list(identities), pa.string())})
        insert(self.connection, "asked_for", rows)
        found = self.connection.execute(
            f"SELECT identity FROM ready JOIN asked_for USING (identity) WHERE {is_within(self.between)}"
        )
        return {identity for (identity,) in found.fetchall()}

    def retries(self, ledger: Ledger) -> list[Retry]:
        """Return the rows that calls have left pending and that may be sent again now."""
        with ledger.begin() as transaction:
            found = to_retry(transaction, self.dataset, ledger.part)
        own = self.own([row.identity for row in found])
        return [row for row in found if row.identity in own]

    def retries_later(self, ledger: Ledger) -> int:
        """Return how many rows that calls have left pending are of other periods."""
        if self.between is None:
            return 0
        with ledger.begin() as transaction:
            found = called(transaction, self.dataset, ledger.part, Outcome.PENDING)
        return len(found) - len(self.own(found))

    def left_unsent(self, ledger: Ledger) -> list[str]:
        """Return warnings for the end of a push: rows of other periods that wait, and revenue that TUNE brings."""
        waits = self.retries_later(ledger)
        synced = self.held_back(SYNCED) if self.dataset == REVENUE else 0
        found = []
        if waits:
            was, stays = form(waits, "was", "were"), form(waits, "stays", "stay")
            rows = f"{plural(waits, 'row')} of other months {was} sent without success"
            found.append(f"{rows}, and {stays} pending: a push of their month sends them.")
        if synced:
            found.append(f"{plural(synced, 'row is', 'rows are')} held back. {SYNCED}.")
        return found

    def reopen(self, ledger: Ledger) -> None:
        """Make rejected rows of the period pending, so that they are tried again."""
        with ledger.begin() as transaction:
            found = called(transaction, self.dataset, ledger.part, Outcome.REJECTED)
        ledger.reopen(self.dataset, sorted(self.own(found)))

    def of_period(self, between: Period | None) -> "Compared":
        """Return the stage for a push of a period: new rows of other times, or of none, wait. None: no row waits."""
        if between is not None:
            self.connection.execute(
                f"INSERT INTO known (identity) SELECT identity FROM ready WHERE NOT {is_within(between)} AND {IS_NEW}"
            )
        return replace(self, between=between)

    def without_others(self, between: Period) -> "Compared":
        """Return the stage without the rows of other times, to show one period. The caller must roll back."""
        self.connection.execute(f"DELETE FROM input WHERE NOT {is_within(between)}")
        for table in ("verdicts", "corrected", "differing"):
            self.connection.execute(f"DELETE FROM {table} WHERE seq NOT IN (SELECT seq FROM input)")
        held = self.connection.execute("SELECT outcome, count(*) FROM verdicts GROUP BY outcome").fetchall()
        rows_in = count(self.connection, "SELECT count(*) FROM input")
        changes = replace(self.changes, differs=self.differing())
        return replace(self, rows_in=rows_in, held=dict(held), changes=changes)

    def wait_for(self, contacts: Iterable[str]) -> None:
        """Make new revenue of some contacts, given by phone number, wait."""
        self.connection.execute("CREATE OR REPLACE TEMP TABLE waiting (contact VARCHAR)")
        insert(self.connection, "waiting", pa.table({"contact": pa.array(list(contacts), pa.string())}))
        self.connection.execute(
            "INSERT INTO known (identity) SELECT ready.identity FROM ready JOIN parents AS p"
            f" ON p.identity = ready.message_id WHERE p.contact IN (SELECT contact FROM waiting) AND {IS_NEW}"
        )


def is_within(between: Period | None) -> str:
    """Return an SQL condition: a row's time is within a period; rows without a time never are. None: always true."""
    if between is None:
        return "true"
    start, end = (f"TIMESTAMPTZ {literal(instant.isoformat())}" for instant in between)
    return f"coalesce(timestamp >= {start} AND timestamp < {end}, false)"
