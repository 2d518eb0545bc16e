"""Revenue, which the API counts again when it is sent again: read, settle, send, and read again, until all is clear.

    read the contacts' totals ──▶ settle what is in doubt ──▶ send what is pending ──┐
              ▲          │                                                           │ answers lost
              │          └─ what an open call may still change waits ◀───────────────┤
              └──────────── until the calls are old enough ◀─────────────────────────┘

Nothing is sent to a contact with rows that a later reading may settle; everything else goes on meanwhile. Where
revenue turned up that was called absent, nothing is sent until a person has acknowledged that.
What does not belong here: sending (`send.sender`), what the totals say (`settle`), how long to wait (`waiting`), what
turned up late (`late`), and reading (`pipelines.pull.derived.contact_totals`).
"""

import asyncio
import logging
import math
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import OutcomeUnknown
from pipelines.privacy import Privacy
from pipelines.pull.derived.contact_totals import ContactTotals, read_totals
from pipelines.push.checks.compare import Compared, SendsStage, compare
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.calls import recent_calls
from pipelines.push.ledger.queries.pending import to_retry
from pipelines.push.ledger.queries.revenue import absent as ledger_absent
from pipelines.push.ledger.queries.revenue import in_doubt as ledger_doubt
from pipelines.push.ledger.queries.revenue.alarms import alarms
from pipelines.push.outcomes import Outcome
from pipelines.push.revenue.settle import Settlement, patiently, settled
from pipelines.push.revenue.turned_up_late import find_late
from pipelines.push.revenue.waiting import Patience, due, patience, seconds_until
from pipelines.push.send.call_sizes import REVENUE_BYTES, Call, Sizes
from pipelines.push.send.options import How
from pipelines.push.send.queries import Queue, contents
from pipelines.push.send.sender import Sending
from pipelines.push.stage.database import stage_path
from pipelines.push.stage.totals import TotalsInStage
from pipelines.runs import now
from pipelines.settings import Settings
from pipelines.text.humanize import duration
from pipelines.trackly.client import TracklyClient

MOST_ROUNDS = 20
"""Readings in a row that brought no row further: where answers are lost every time, a person should look."""

MOST_WAITS = 3
"""The same for waits, each of which takes the settle time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """What a push of revenue has left open.

    Attributes:
        waiting: rows that a later push can settle.
        seconds: after how long.
        alarms: alarms that nobody has acknowledged; nothing was sent since they were raised.
    """

    waiting: int = 0
    seconds: float = 0.0
    alarms: int = 0


@dataclass(slots=True)
class _Turns:
    """Readings and waits in a row that brought no row further.

    Attributes:
        rounds, waits: how many.
        least: the fewest rows that were left so far.
    """

    rounds: int = 0
    waits: int = 0
    least: float = math.inf

    @property
    def are_left(self) -> bool:
        """Whether another one may help."""
        return self.rounds < MOST_ROUNDS and self.waits < MOST_WAITS

    def note(self, left: int) -> None:
        """So many rows are left after a reading."""
        if left < self.least:
            self.rounds, self.waits, self.least = 0, 0, left
        else:
            self.rounds += 1


@dataclass(slots=True)
class RevenuePush:
    """The revenue of a stage on its way.

    Attributes:
        compared: the stage, and on record in the ledger what it holds.
        client: the account.
        ledger: the ledger, after `recover`.
        settings: how many calls at once, and how long the account may take over a lost one.
        folder: of `totals_folder`.
        how: what its caller chose.
    """

    compared: Compared
    client: TracklyClient
    ledger: Ledger
    settings: Settings
    folder: Path
    how: How
    _is_compared: bool = True
    _sent: bool = False
    _sizes: Sizes = field(init=False)
    _totals: TotalsInStage | None = None

    def __post_init__(self) -> None:
        """How large calls may be: where the latest ones had no answer, this push begins with small ones."""
        self._sizes = Sizes(bytes=REVENUE_BYTES)
        with self.ledger.begin() as transaction:
            self._sizes.replay(Call(*call) for call in recent_calls(transaction, REVENUE, self.ledger.part))

    async def run(self) -> Unsettled:
        """Send what is not in the account yet, and settle what has no answer.

        Raises:
            OutcomeUnknown: answers were lost again and again; what a reading could not settle is in doubt.
            TracklySyncError: as `Sending.run`, and as a pull for the readings.
        """
        failure: OutcomeUnknown | None = None
        turns, rests = _Turns(), False
        while turns.are_left and self._is_open():
            number, open_alarms = await self._look()
            if open_alarms:
                return Unsettled(self._unsettled(), alarms=open_alarms)
            ready, waiting = self._hold(), self._unsettled()
            turns.note(self._left(waiting))
            if ready and not (rests and waiting):
                failure = await self._send(number, ready)
                rests = failure is not None  # what is lost is settled before more is risked
            elif not waiting:
                failure = None
                break
            elif not self.how.wait:
                return Unsettled(waiting, self._due())
            else:
                turns.waits, rests = turns.waits + 1, False
                await self._let_it_finish(waiting)
        if failure:
            raise failure
        return self._left_open()

    def _left_open(self) -> Unsettled:
        waiting = self._unsettled()
        return Unsettled(waiting, self._due()) if waiting else Unsettled()

    def _is_open(self) -> bool:
        """Whether the contacts are to be read: for rows in doubt, to be sent, or called absent and sent again."""
        if self._unsettled():
            return True
        with self.ledger.begin(REVENUE) as transaction:
            watching = bool(ledger_absent.watched(transaction) or alarms(transaction))
        if self._sent:  # everything was answered, or refused for good
            return watching
        return watching or self.ledger.outcomes()[REVENUE].pending > self.compared.later()

    async def _look(self) -> tuple[int, int]:
        """Read the contacts and settle by that: the reading's number, and how many alarms are open."""
        reading = await self._read()
        loaded = self._totals = TotalsInStage.load(self.compared.connection, reading)
        find_late(loaded, self.ledger, reading, patience(self.settings, self.ledger).settle)
        number = self._settle(reading, loaded, patience(self.settings, self.ledger))
        self._sent = False
        with self.ledger.begin(REVENUE) as transaction:
            return number, len(alarms(transaction))

    def _hold(self) -> int:
        """Compare the stage with the ledger again, and have wait what has to; how many rows can be sent."""
        if not self._is_compared:  # what was sent is known by now, and sends that another machine brought
            sends = SendsStage(stage_path(self.settings, "sends"))
            self.compared = compare(self.compared.connection, REVENUE, self.ledger, sends)
            self.compared.record(self.ledger)
            if self.how.between:
                self.compared.wait_outside(self.how.between)
        self._is_compared = False
        with self.ledger.begin(REVENUE) as transaction:
            self.compared.wait_for(ledger_doubt.contacts_unsettled(transaction, self.ledger.part))
            again = to_retry(transaction, REVENUE, self.ledger.part)
        return self.compared.new() + len(again)

    async def _send(self, number: int, ready: int) -> OutcomeUnknown | None:
        """Send what is ready; returns why it stopped, where answers were lost."""
        sending = Sending(
            self.client,
            self.ledger,
            REVENUE,
            total=ready,
            on_progress=self.how.on_progress,
            canary_share=self.settings.push_canary_share,
            reading=number,
            privacy=Privacy.of(self.settings),
            sizes=self._sizes,
        )
        queue = Queue(self.compared, self._totals)
        self._sent = True
        try:
            await sending.run(queue, self.settings.concurrency)
        except OutcomeUnknown as error:
            return error
        return None

    async def _read(self) -> ContactTotals:
        def on_read(rows: int, total: int | None) -> None:
            if self.how.on_progress:
                self.how.on_progress("contacts", rows, max(total or 0, rows))

        reading = await read_totals(self.client, self.settings, self.folder, on_read)
        if not reading.complete:
            reading = await read_totals(self.client, self.settings, self.folder, on_read)
        return reading

    def _settle(self, reading: ContactTotals, loaded: TotalsInStage, of: Patience) -> int:
        """Put a reading on record and settle by it; returns its number."""
        with self.ledger.begin(REVENUE) as transaction:
            number = ledger_doubt.note_reading(
                transaction, reading.started_at, reading.finished_at, complete=reading.complete
            )
            rows = ledger_doubt.doubtful(transaction, self.ledger.part)
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
                content=contents(self.compared.connection, doubts),
                seconds=of.settle,
            )
            done = patiently(rows, verdicts, reading.started_at, of)
            ledger_doubt.settle(transaction, done.verdicts, reading.started_at, done.unseen)
            names = ("identity", "chunk", "contact", "list_ref", "amount", "sent_at")
            ledger_absent.call_absent(
                transaction,
                [{name: getattr(row, name) for name in names} for row in done.absent],
                now(),
                (reading.started_at, reading.finished_at),
                found,
            )
        _tell(done)
        return number

    def _unsettled(self) -> int:
        with self.ledger.begin(REVENUE) as transaction:
            return ledger_doubt.unsettled(transaction, self.ledger.part)

    def _left(self, waiting: int) -> int:
        """Rows that are neither in the account nor left out yet."""
        return waiting + self.ledger.outcomes()[REVENUE].pending

    def _due(self) -> float:
        """In how many seconds a reading can settle what is in doubt."""
        with self.ledger.begin(REVENUE) as transaction:
            rows = ledger_doubt.doubtful(transaction, self.ledger.part)
        at = now()
        return seconds_until(due(rows, at, patience(self.settings, self.ledger)), at)

    async def _let_it_finish(self, waiting: int) -> None:
        """Wait until calls without an answer are so old that no account still works on them."""
        seconds = self._due()
        if seconds >= 1:
            _log.warning(
                "revenue: waiting %s until the account has surely finished the calls without an answer; then their %d"
                " rows are read again. Ctrl-C is safe: nothing is lost, and the next push settles them.",
                duration(seconds), waiting, extra={"event": "settling", "rows": waiting, "seconds": seconds},
            )  # fmt: skip
        await asyncio.sleep(seconds)


def _tell(done: Settlement) -> None:
    outcomes = [verdict.outcome for verdict in done.verdicts.values()]
    _log.info(
        "revenue: of %d rows in doubt the contacts' totals show %d to be in the account, %d not; %d stay in doubt.",
        len(outcomes), outcomes.count(Outcome.ACCEPTED), outcomes.count(Outcome.PENDING),
        outcomes.count(Outcome.IN_DOUBT),
    )  # fmt: skip
