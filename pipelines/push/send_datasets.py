"""Sends the stages of a push: sends first, then clicks and revenue, each with its record of the run.

What does not belong here: the arguments and results of a push (`run`), the calls (`send.sender`), and settling
revenue (`revenue.loop`).
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb

from pipelines.privacy import Privacy
from pipelines.push.audit.adopt import sent_otherwise
from pipelines.push.audit.archive.rows import all_archived, keep, refuse_damaged
from pipelines.push.audit.lost_ledger.calls_under_way import begin_notes, noting
from pipelines.push.checks.compare import SendsStage, compare, may_turn_out, note_answered
from pipelines.push.checks.compared import Compared
from pipelines.push.figures import figures_recorded
from pipelines.push.intake.dataset import Incoming, put_on_record
from pipelines.push.intake.found import Intake, all_reasons
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.revenue.loop import Unsettled, push_revenue
from pipelines.push.send.options import SendChoices
from pipelines.push.send.repeatable import send_repeatable
from pipelines.push.stage.database import opened, stage_path
from pipelines.push.stage.redact import hold_ready, put_away
from pipelines.runs.recording import recorded
from pipelines.settings import Settings
from pipelines.text.humanize import form, plural
from pipelines.trackly.client import TracklyClient
from schemas.own_tables.sync import RunRecord
from schemas.registry import PUSHED

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """The result of sending.

    Attributes:
        intakes: for datasets with new input, what was found in it.
        reasons: by dataset, why rows were left out and how many.
        unsettled: open revenue.
    """

    intakes: dict[str, Intake]
    reasons: dict[str, dict[str, int]]
    unsettled: Unsettled


async def send_all(
    settings: Settings,
    datasets: Sequence[str],
    ledger: Ledger,
    choices: SendChoices,
    incoming: Incoming | None = None,
) -> Sent:
    """Send the new and pending rows of some datasets' stages, in the order of PUSHED.

    Each stage is compared with the ledger once, when its turn comes: the sends that it refers to have been sent then.

    Args:
        settings: the account, and the place of the stages.
        datasets: names out of PUSHED.
        ledger: an open ledger, for the push that holds its locks.
        choices: the options of the caller.
        incoming: for stages that are not recorded yet; they are recorded even if the push has to stop.

    Raises:
        TracklySyncError: the push had to stop; rows that were not sent are pending.
    """
    why: dict[str, dict[str, int]] = {}
    unsettled = Unsettled()
    names = [name for name in PUSHED if name in datasets]
    async with TracklyClient(settings) as client:
        pushing = _Pushing(settings, client, ledger, choices, incoming)
        try:
            refuse_damaged(settings, names)
            for name in names:
                with recorded(settings.data_dir, choices.run, f"push {name}", choices.month) as record:
                    why[name], unsettled = await _send_one(pushing, name, record)
            for name in (
                pushing.corrected
            ):  # last: earlier, clicks and revenue of a send that differs would be parked
                note_answered(stage_path(settings, name), name, ledger)
        except BaseException:
            _put_rest_on_record(pushing, names)
            raise
    return Sent(pushing.intakes, why, unsettled)


@dataclass(frozen=True, slots=True)
class _Pushing:
    """One push under way.

    Attributes:
        settings: the account, and the place of the stages.
        client: an open client.
        ledger: an open ledger.
        choices: the options of the caller.
        incoming: for stages that are not recorded yet.
        intakes: filled in: for stages that have been recorded, what was found in them.
        corrected: filled in: datasets with rows that were corrected while the outcome of their call is open.
    """

    settings: Settings
    client: TracklyClient
    ledger: Ledger
    choices: SendChoices
    incoming: Incoming | None
    intakes: dict[str, Intake] = field(default_factory=dict)
    corrected: list[str] = field(default_factory=list)


async def _send_one(pushing: _Pushing, name: str, record: RunRecord) -> tuple[dict[str, int], Unsettled]:
    """Send one dataset; return why rows were left out, and the open revenue."""
    ledger = pushing.ledger
    if lost := ledger.recover(name):
        calls, have = plural(lost, "call"), form(lost, "has", "have")
        _log.warning("%s: %s of a push that ended early %s no answer on record.", name, calls, have)
    with _stage(pushing.settings, name) as connection:
        seen = ledger.last_chunk(name)
        compared = _compared(pushing, connection, name).of_period(pushing.choices.between)
        if name != REVENUE:
            sent_otherwise.put_on_record(connection, pushing.settings, name, ledger)
        if pushing.choices.retry_rejected:
            compared.reopen(ledger)
        with figures_recorded(pushing.settings.data_dir, record, pushing.client, ledger, compared):
            unsettled = await _archive_and_send(pushing, compared, seen)
        why = all_reasons(connection, name, ledger)
        warnings = compared.left_unsent(ledger)
    for text in warnings:
        _log.warning("%s: %s", name, text)
    return why, unsettled


async def _archive_and_send(pushing: _Pushing, compared: Compared, seen: int) -> Unsettled:
    """Archive the rows that are about to be sent, since their files may be gone by the next push; then send them.

    Args:
        pushing: the push.
        compared: the stage, limited to the push's period.
        seen: the last call in the ledger before the stage was compared with it.

    Returns:
        The open revenue.
    """
    connection, name = compared.connection, compared.dataset
    if name == REVENUE:
        begin_notes(pushing.settings)  # before the archive has rows: shows that their calls are noted
    keep(connection, name, pushing.settings)
    if may_turn_out(connection):
        pushing.corrected.append(name)
    to_send = compared, pushing.client, pushing.ledger, pushing.settings, pushing.choices
    if name == REVENUE:
        return await push_revenue(*to_send, noting(pushing.settings, pushing.ledger))
    await send_repeatable(*to_send, seen)
    return Unsettled()


def _compared(pushing: _Pushing, connection: duckdb.DuckDBPyConnection, name: str) -> Compared:
    """Return a stage, compared with the ledger and recorded as the current input."""
    ledger, settings = pushing.ledger, pushing.settings
    if pushing.incoming:
        compared, pushing.intakes[name] = put_on_record(connection, name, ledger, settings, pushing.incoming)
        return compared
    sends = SendsStage(stage_path(settings, "sends"))
    with all_archived(settings, name) as archive:
        compared = compare(connection, name, ledger, sends, archive=archive)
    compared.record(ledger)
    return compared


def _put_rest_on_record(pushing: _Pushing, names: Sequence[str]) -> None:
    """Record stages whose turn did not come: their rows are pending or parked."""
    if pushing.incoming is None:
        return
    for name in [name for name in names if name not in pushing.intakes]:
        with opened(stage_path(pushing.settings, name), Privacy.of(pushing.settings)) as connection:
            _compared(pushing, connection, name)


@contextmanager
def _stage(settings: Settings, name: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the stage to send from; afterwards, however the block ends, redact it if phones are hashed."""
    path, privacy = stage_path(settings, name), Privacy.of(settings)
    try:
        with opened(path, privacy) as connection:
            hold_ready(connection, name)
            yield connection
    finally:
        put_away(path, PUSHED[name], privacy)
