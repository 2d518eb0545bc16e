"""Revenue, which the API counts again when it is sent again: read, send, read again, settle, until all is told.

    read the contacts' totals ──▶ settle what is in doubt ──▶ send what is pending ─┐
              ▲                                                                     │ answers lost
              └──────────────── let the account finish what it may be doing ◀───────┘

What does not belong here: sending (`sender`), what the totals say (`settle`), and reading them
(`pipelines.pull.totals`).
"""

import asyncio
import logging
import math
from pathlib import Path

import duckdb

from pipelines.errors import OutcomeUnknown
from pipelines.privacy import Privacy
from pipelines.pull.totals import Reading, read_totals
from pipelines.push import contacts
from pipelines.push.ledger import doubt as ledger_doubt
from pipelines.push.ledger.recent import recent_calls
from pipelines.push.ledger.tables import REVENUE
from pipelines.push.ledger.verbs import Ledger
from pipelines.push.outgoing import contents
from pipelines.push.presence import Period, hold_against, later
from pipelines.push.sender import Sending
from pipelines.push.settle import settled
from pipelines.push.sizes import REVENUE_BYTES, Call, Sizes
from pipelines.push.stage import Progress
from pipelines.push.verdicts import Outcome
from pipelines.settings import Settings
from pipelines.trackly.client import TracklyClient

MOST_ROUNDS = 20
"""Readings in a row that brought no row further: where answers are lost every time, a person should look."""

_log = logging.getLogger(__name__)


async def send_revenue(
    connection: duckdb.DuckDBPyConnection,
    client: TracklyClient,
    ledger: Ledger,
    settings: Settings,
    folder: Path,
    on_progress: Progress | None = None,
    between: Period | None = None,
) -> None:
    """Send the revenue of a stage that is not in the account yet, and settle what no answer told.

    Args:
        connection: the stage, after `presence.hold_against`, and `take_in` of what that found.
        client: the account.
        ledger: the ledger, after `recover`.
        settings: how many calls at once, and how long the account may take over a lost one.
        folder: of `room_for_readings`.
        on_progress: called after every reply and answer.
        between: as `hold_against` was given it.

    Raises:
        OutcomeUnknown: answers were lost again and again; what a reading could not settle is in doubt.
        TracklySyncError: as `Sending.run`, and as a pull for the readings.
    """
    failure: OutcomeUnknown | None = None
    not_now = later(connection)
    sizes = _sizes(ledger)
    number, rounds, least = 0, 0, math.inf
    while rounds < MOST_ROUNDS:
        untried = _untried(ledger)
        if not untried and (failure or ledger.outcomes()[REVENUE].pending <= not_now):
            break
        if untried:
            await asyncio.sleep(settings.settle_seconds)
        reading = await _read(client, settings, folder, on_progress)
        contacts.load(connection, reading)
        first, number = not number, _settle(connection, ledger, reading, settings.settle_seconds)
        pending = ledger.outcomes()[REVENUE].pending - not_now
        rounds, least = (0, pending) if pending < least else (rounds + 1, least)
        if pending <= 0:
            failure = None
            break
        if not first:  # what was sent meanwhile is known now, and sends that another machine brought
            ledger.take_in(REVENUE, *hold_against(connection, REVENUE, ledger, between=between))
            not_now = later(connection)
        sending = Sending(
            client,
            ledger,
            REVENUE,
            pending,
            on_progress,
            settings.push_canary_share,
            number,
            privacy=Privacy.of(settings),
            sizes=sizes,
        )
        try:
            await sending.run(connection, settings.concurrency)
            failure = None
        except OutcomeUnknown as error:
            failure = error
    if failure:
        raise failure


async def _read(
    client: TracklyClient, settings: Settings, folder: Path, on_progress: Progress | None
) -> Reading:
    def on_read(rows: int, total: int | None) -> None:
        if on_progress:
            on_progress("contacts", rows, max(total or 0, rows))

    reading = await read_totals(client, settings, folder, on_read)
    if not reading.complete:
        reading = await read_totals(client, settings, folder, on_read)
    return reading


def _sizes(ledger: Ledger) -> Sizes:
    """How large calls may be: where the latest ones had no answer, this push begins with small ones."""
    sizes = Sizes(bytes=REVENUE_BYTES)
    with ledger.begin() as transaction:
        sizes.replay(Call(*call) for call in recent_calls(transaction, REVENUE, ledger.part))
    return sizes


def _untried(ledger: Ledger) -> int:
    with ledger.begin(REVENUE) as transaction:
        return ledger_doubt.untried(transaction, ledger.part)


def _settle(connection: duckdb.DuckDBPyConnection, ledger: Ledger, reading: Reading, seconds: float) -> int:
    """Put a reading on record and settle by it; returns its number."""
    with ledger.begin(REVENUE) as transaction:
        number = ledger_doubt.note_reading(
            transaction, reading.started_at, reading.finished_at, complete=reading.complete
        )
        rows = ledger_doubt.doubtful(transaction, ledger.part)
        if not rows:
            return number
        where = [(row.contact, row.list_ref) for row in rows if row.contact is not None]
        doubts = [row.identity for row in rows if row.in_doubt and row.ours]
        verdicts = settled(
            rows,
            reading.started_at,
            contacts.look_up(connection, where),
            complete=reading.complete,
            content=contents(connection, doubts),
            seconds=seconds,
        )
        ledger_doubt.settle(transaction, verdicts)
    told = [verdict.outcome for verdict in verdicts.values()]
    _log.info(
        "revenue: of %d rows in doubt the contacts' totals show %d to be in the account, %d not; %d stay in doubt.",
        len(doubts), told.count(Outcome.ACCEPTED), told.count(Outcome.PENDING), told.count(Outcome.IN_DOUBT),
    )  # fmt: skip
    return number
