"""A reading of the contacts' totals, and its consequences for revenue without an answer.

What does not belong here: when to read and when to send (`loop`), and what the totals show (`settle`; for rows called
absent `turned_up_late`).
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from pipelines.pull.derived.contact_totals import ContactTotals, read_totals
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.revenue import absent as ledger_absent
from pipelines.push.ledger.queries.revenue import in_doubt as ledger_doubt
from pipelines.push.ledger.queries.revenue.alarms import alarms
from pipelines.push.outcomes import Outcome
from pipelines.push.revenue.settle.settle import Settlement, patiently, settled
from pipelines.push.revenue.turned_up_late import find_late
from pipelines.push.revenue.waiting import Patience, patience
from pipelines.push.send.queries import contents
from pipelines.push.stage.database import Progress
from pipelines.push.stage.totals import TotalsInStage
from pipelines.runs.recording import now
from pipelines.settings import Settings
from pipelines.text.humanize import plural
from pipelines.trackly.client import TracklyClient

_log = logging.getLogger(__name__)
_OF_ABSENT = ("identity", "chunk", "contact", "list_ref", "amount", "sent_at")


class Reading(NamedTuple):
    """A reading that is recorded in the ledger, after rows were settled by it.

    Attributes:
        number: its number in the ledger.
        totals: its totals, in the stage.
        alarms: how many alarms are open now.
    """

    number: int
    totals: TotalsInStage
    alarms: int


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the contacts' totals for one push.

    Attributes:
        client: the account.
        settings: how many calls at the same time, and how long the account may work on a lost call.
        ledger: a ledger that is open for writing.
        connection: the stage of revenue.
        folder: the folder that `totals_folder` made.
        on_progress: called after every reply.
    """

    client: TracklyClient
    settings: Settings
    ledger: Ledger
    connection: duckdb.DuckDBPyConnection
    folder: Path
    on_progress: Progress | None

    async def read_and_settle(self) -> Reading:
        """Read all contacts, raise alarms, and settle rows in doubt by the totals.

        Raises:
            TracklySyncError: the contacts cannot be read, for the reasons that a pull can have.
        """
        reading = await self._read()
        loaded = TotalsInStage.load(self.connection, reading)
        self._name_contacts()
        find_late(loaded, self.ledger, reading, patience(self.settings, self.ledger).settle)
        number = self._settle(reading, loaded, patience(self.settings, self.ledger))
        with self.ledger.begin(REVENUE) as transaction:
            return Reading(number, loaded, len(alarms(transaction)))

    async def _read(self) -> ContactTotals:
        def on_read(rows: int, total: int | None) -> None:
            if self.on_progress:
                self.on_progress("contacts", rows, max(total or 0, rows))

        reading = await read_totals(self.client, self.settings, self.folder, on_read)
        if not reading.complete:
            reading = await read_totals(self.client, self.settings, self.folder, on_read)
        return reading

    def _name_contacts(self) -> None:
        """Note the contacts of watched rows, if the ledger took the rows over and did not know their contacts."""
        with self.ledger.begin(REVENUE) as transaction:
            messages = ledger_absent.nameless(transaction)
            if not messages:
                return
            entries, names = pa.array(list(messages)), pa.array(list(messages.values()))
            self.connection.register("nameless", pa.table({"entry": entries, "message": names}))
            found = self.connection.execute(
                "SELECT entry, contact, list_ref FROM nameless JOIN parents ON identity = message"
                " WHERE contact IS NOT NULL"
            ).fetchall()
            self.connection.unregister("nameless")
            ledger_absent.name_contacts(transaction, {entry: (who, ref) for entry, who, ref in found})

    def _settle(self, reading: ContactTotals, loaded: TotalsInStage, wait: Patience) -> int:
        """Record a reading and settle by it; return its number."""
        with self.ledger.begin(REVENUE) as transaction:
            number = ledger_doubt.note_reading(
                transaction, reading.started_at, reading.finished_at, complete=reading.complete
            )
            rows = [
                row._replace(list_ref=loaded.list_key(row.list_ref))
                for row in ledger_doubt.doubtful(transaction, self.ledger.part)
            ]
            if not rows:
                return number
            where = [(row.contact, row.list_ref) for row in rows if row.contact is not None]
            found = loaded.look_up(where)
            doubts = [row.identity for row in rows if row.in_doubt and row.ours]
            verdicts = settled(
                rows,
                reading.started_at,
                found,
                complete=reading.complete,
                content=contents(self.connection, doubts),
                seconds=wait.settle,
            )
            done = patiently(rows, verdicts, reading.started_at, wait)
            ledger_doubt.settle(transaction, done.verdicts, reading.started_at, done.unseen)
            absent = [{name: getattr(row, name) for name in _OF_ABSENT} for row in done.absent]
            times = (reading.started_at, reading.finished_at)
            ledger_absent.call_absent(transaction, absent, now(), times, found)
        _log_settled(done)
        return number


def _log_settled(done: Settlement) -> None:
    outcomes = [verdict.outcome for verdict in done.verdicts.values()]
    _log.info(
        "revenue: of %s in doubt the contacts' totals show %d to be in the account, %d not; %s in doubt.",
        plural(len(outcomes), "row"), outcomes.count(Outcome.ACCEPTED), outcomes.count(Outcome.PENDING),
        plural(outcomes.count(Outcome.IN_DOUBT), "stays", "stay"),
    )  # fmt: skip
