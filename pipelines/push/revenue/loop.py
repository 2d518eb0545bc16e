"""Reads, settles and sends revenue in rounds until nothing is open: the API counts revenue twice if sent twice.

    read the contacts' totals ──▶ settle rows in doubt ──▶ send pending rows ────────┐
              ▲          │                                                           │ answers lost
              │          └─ rows wait that an open call may still change ◀───────────┤
              └──────────── until the calls are old enough ◀─────────────────────────┘

Nothing is sent to a contact with rows that a later reading may settle; all other rows are sent meanwhile. If revenue
turned up after it was called absent, nothing is sent until a person has acknowledged the alarm.
What does not belong here: sending (`send.sender`), readings and their consequences (`read_and_settle`), and how long
to wait (`waiting`).
"""

import asyncio
import logging
import math
from dataclasses import dataclass, field

from pipelines.errors import OutcomeUnknown
from pipelines.privacy import Privacy
from pipelines.pull.derived.contact_totals import totals_folder
from pipelines.push.checks.compare import SendsStage, compare
from pipelines.push.checks.compared import Compared
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.calls import recent_calls
from pipelines.push.ledger.queries.revenue import in_doubt as ledger_doubt
from pipelines.push.ledger.queries.revenue.absent import watched
from pipelines.push.ledger.queries.revenue.alarms import alarms
from pipelines.push.revenue.read_and_settle import Reader, Reading
from pipelines.push.revenue.waiting import seconds_until_due
from pipelines.push.send.calls.sizes import REVENUE_BYTES, Call, Sizes
from pipelines.push.send.options import SendChoices
from pipelines.push.send.queries import Queue
from pipelines.push.send.sender import OnIntent, Sending
from pipelines.push.stage.database import stage_path
from pipelines.settings import Settings
from pipelines.text.humanize import duration, plural
from pipelines.trackly.client import TracklyClient

MOST_ROUNDS = 20
"""Most readings in a row without progress: if answers are lost every time, a person should look."""

MOST_WAITS = 3
"""Most waits in a row without progress; each takes the settle time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Rows and alarms that a push of revenue has left open.

    Attributes:
        waiting: rows that a later push can settle.
        seconds: the time until they can be settled.
        alarms: alarms without acknowledgement; nothing was sent since they were raised.
    """

    waiting: int = 0
    seconds: float = 0.0
    alarms: int = 0


@dataclass(slots=True)
class _Turns:
    """Counts readings and waits in a row without progress.

    Attributes:
        rounds, waits: how many.
        least: the fewest open rows so far.
    """

    rounds: int = 0
    waits: int = 0
    least: float = math.inf

    @property
    def are_left(self) -> bool:
        """Whether another reading or wait may help."""
        return self.rounds < MOST_ROUNDS and self.waits < MOST_WAITS

    def note(self, left: int) -> None:
        """Note how many rows are open after a reading."""
        if left < self.least:
            self.rounds, self.waits, self.least = 0, 0, left
        else:
            self.rounds += 1


async def push_revenue(
    compared: Compared,
    client: TracklyClient,
    ledger: Ledger,
    settings: Settings,
    choices: SendChoices,
    on_intent: OnIntent,
) -> Unsettled:
    """Send the revenue of a stage that is not in the account yet, and settle calls without an answer.

    Args:
        compared: the stage, recorded in the ledger as the current input.
        client: the account.
        ledger: the ledger, after `recover`.
        settings: how many calls at the same time, and how long the account may work on a lost call.
        choices: the options of the caller.
        on_intent: see `Sending`.

    Raises:
        OutcomeUnknown: answers were lost again and again; rows that no reading could settle are in doubt.
        TracklySyncError: as `Sending.run`, and for the readings as a pull.
    """
    with totals_folder(settings) as folder:
        reader = Reader(client, settings, ledger, compared.connection, folder, choices.on_progress)
        return await _RevenuePush(compared, client, ledger, settings, choices, reader, on_intent).run()


@dataclass(slots=True)
class _RevenuePush:
    """A push of the revenue of a stage; see `push_revenue`. `reader` reads the contacts."""

    compared: Compared
    client: TracklyClient
    ledger: Ledger
    settings: Settings
    choices: SendChoices
    reader: Reader
    on_intent: OnIntent
    _sent: bool = False
    _is_compared: bool = field(init=False)
    _sizes: Sizes = field(init=False)

    def __post_init__(self) -> None:
        """Set the size of calls: if the latest calls had no answer, this push begins with small ones."""
        # rejected rows have become pending since the comparison, and new ones may be the same sales
        self._is_compared = not self.choices.retry_rejected
        self._sizes = Sizes(bytes=REVENUE_BYTES)
        with self.ledger.begin() as transaction:
            self._sizes.replay(Call(*call) for call in recent_calls(transaction, REVENUE, self.ledger.part))

    async def run(self) -> Unsettled:
        """Run the rounds; see `push_revenue`."""
        failure: OutcomeUnknown | None = None
        turns, settles_first = _Turns(), False
        while turns.are_left and self._is_open():
            reading = await self.reader.read_and_settle()
            self._sent = False
            if reading.alarms:
                return Unsettled(self._unsettled(), alarms=reading.alarms)
            ready, waiting = self._hold(), self._unsettled()
            turns.note(self._left(waiting))
            if ready and not (settles_first and waiting):
                failure = await self._send(reading, ready)
                settles_first = failure is not None  # settle lost rows before more rows are risked
            elif not waiting:
                return Unsettled()
            elif not self.choices.wait:
                return self._left_open()
            else:
                turns.waits += 1
                settles_first = False
                await self._let_it_finish(waiting)
        if failure:  # rounds or waits are used up, and answers were still lost in the last one
            raise failure
        return self._left_open()

    def _left_open(self) -> Unsettled:
        waiting = self._unsettled()
        return Unsettled(waiting, seconds_until_due(self.settings, self.ledger)) if waiting else Unsettled()

    def _is_open(self) -> bool:
        """Return whether a reading is needed: for rows in doubt, rows to send, or rows called absent or resolved."""
        if self._unsettled():
            return True
        with self.ledger.begin(REVENUE) as transaction:
            watching = bool(watched(transaction) or alarms(transaction))
        if self._sent:  # every call was answered, or refused for good
            return watching
        return watching or self.ledger.outcomes()[REVENUE].pending > self.compared.later(self.ledger)

    def _hold(self) -> int:
        """Compare the stage with the ledger again, and make rows wait that must; return how many can be sent."""
        if not self._is_compared:  # the ledger now has the rows sent since, and sends of other machines
            sends = SendsStage(stage_path(self.settings, "sends"))
            before = self.compared
            self.compared = compare(before.connection, REVENUE, self.ledger, sends, archive=before.archive)
            self.compared.record(self.ledger)
            self.compared = self.compared.of_period(self.choices.between)
        self._is_compared = False
        with self.ledger.begin(REVENUE) as transaction:
            self.compared.wait_for(ledger_doubt.contacts_unsettled(transaction, self.ledger.part))
        return self.compared.new() + len(self.compared.retries(self.ledger))

    async def _send(self, reading: Reading, ready: int) -> OutcomeUnknown | None:
        """Send the rows that are ready; return the error if answers were lost."""
        sending = Sending(
            self.client,
            self.ledger,
            REVENUE,
            total=ready,
            on_progress=self.choices.on_progress,
            canary_share=self.settings.push_canary_share,
            reading=reading.number,
            privacy=Privacy.of(self.settings),
            sizes=self._sizes,
            on_intent=self.on_intent,
        )
        queue = Queue(self.compared, reading.totals)
        self._sent = True
        try:
            await sending.run(queue, self.settings.concurrency)
        except OutcomeUnknown as error:
            return error
        return None

    def _unsettled(self) -> int:
        with self.ledger.begin(REVENUE) as transaction:
            return ledger_doubt.unsettled(transaction, self.ledger.part)

    def _left(self, waiting: int) -> int:
        """Return how many rows are neither in the account nor left out yet."""
        return waiting + self.ledger.outcomes()[REVENUE].pending

    async def _let_it_finish(self, waiting: int) -> None:
        """Wait until calls without an answer are so old that no account still works on them."""
        seconds = seconds_until_due(self.settings, self.ledger)
        if seconds >= 1:
            _log.warning(
                "revenue: waiting %s until the account has surely finished the calls without an answer; then their"
                " %s read again. Ctrl-C is safe: nothing is lost, and the next push settles them.",
                duration(seconds), plural(waiting, "row is", "rows are"),
                extra={"event": "settling", "rows": waiting, "seconds": seconds},
            )  # fmt: skip
        await asyncio.sleep(seconds)
