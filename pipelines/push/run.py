"""The push: intake of every dataset, then sends, then clicks and revenue, then what is published of it.

`intake` and `send` are the two halves, for an orchestrator; `push` is both; `plan` tells what a push would do. What
does not belong here: how rows are judged, cut, sent and counted, each of which has a module of its own.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Unpack

import duckdb

from pipelines import stopping
from pipelines.errors import StorageError, TracklySyncError
from pipelines.privacy import Privacy
from pipelines.pull.contact_totals import totals_folder
from pipelines.push.audit.adopt import refuse_forgotten
from pipelines.push.audit.alarms import of_alarms
from pipelines.push.audit.archive import keep
from pipelines.push.audit.publish import publish_imports
from pipelines.push.checks.compare import SYNCED, Compared, compare
from pipelines.push.checks.same_rows import Decision
from pipelines.push.files.find import Source, Sources, Unread, find_sources, refuse_unread, without_queries
from pipelines.push.intake import MOST_REASONS, Intake, IntakeOptions, Taking, held_reasons, take_in
from pipelines.push.ledger.db.tables import REVENUE
from pipelines.push.ledger.ledger import Ledger, existing_ledger, open_ledger
from pipelines.push.ledger.lock import part_lock, push_lock
from pipelines.push.ledger.queries.sums import reasons
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.push.plan import Plan, Planning, Showing, make_plans
from pipelines.push.revenue.loop import RevenuePush, Unsettled
from pipelines.push.send.how import How, SendOptions
from pipelines.push.send.queries import Queue
from pipelines.push.send.sender import Sending
from pipelines.push.stage.database import Progress, is_current, opened, stage_path
from pipelines.push.stage.leftovers import hold_stages
from pipelines.push.stage.query_cage import Bounds
from pipelines.push.stage.redact import hold_ready, holds_phones, put_away
from pipelines.runs import details, recorded
from pipelines.settings import Settings
from pipelines.spans import plural
from pipelines.trackly.client import TracklyClient
from pipelines.watched import watched
from schemas.registry import PUSHED
from schemas.sync import RunRecord

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a push did.

    Attributes:
        intakes: by dataset, what was found in its files.
        outcomes: by dataset, the outcomes of the current input after the push.
        reasons: by dataset, why rows were left out or are pending, and how many.
        unread: files that are named like a dataset and were not read.
        differing: by dataset, how many rows are in the account and differ from it in their file by now.
        unsettled: what of revenue is open: rows that wait to be settled, and alarms.
    """

    intakes: dict[str, Intake]
    outcomes: dict[str, Outcomes]
    reasons: dict[str, dict[str, int]]
    unread: tuple[Unread, ...]
    differing: dict[str, int]
    unsettled: Unsettled


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What a push would do.

    Attributes:
        plans: by dataset, its plan.
        unread: files that are named like a dataset and would not be read.
    """

    plans: dict[str, Plan]
    unread: tuple[Unread, ...]


@watched(outcomes, of_alarms)
def intake(
    settings: Settings,
    datasets: Sequence[str],
    paths: Sequence[Path] | None = None,
    **options: Unpack[IntakeOptions],
) -> dict[str, Intake]:
    """Read and judge history files, and record them as the current input. Sends nothing.

    Args:
        settings: where history, warehouse and ledger lie.
        datasets: names out of PUSHED.
        paths: files and folders instead of `settings.history`.
        options: see `Taking`.

    Raises:
        UsageError: there is no history, or a file cannot be used; nothing was changed for its dataset.
        BusyError: another push is under way.
        StorageError: the disk refused, or the ledger has forgotten revenue (see `audit.adopt`).
    """
    taking = Taking(**options)
    sources = find_sources(settings, datasets, paths)
    if not taking.attended and not settings.sql_sources:
        sources = without_queries(sources)
    refuse_unread(sources, taking.ignore_unread)
    found = sources.found
    with _pushing(settings) as ledger:
        hold_stages(settings.data_dir)  # they are sent later, by this process, which has no lock in between
        if taking.changed:
            found = {n: s for n, s in found.items() if not _is_ready(settings, n, s)}
        return _intake(settings, found, ledger, taking)


def _is_ready(settings: Settings, name: str, sources: list[Source]) -> bool:
    """Whether the stage is of these files as they are now, and can be sent."""
    path = stage_path(settings, name)
    current = is_current(path, sources, settings.warehouse, Bounds.of(settings))
    return current and (settings.hash_phones is None or holds_phones(path))


@watched(outcomes, of_alarms)
def send(settings: Settings, datasets: Sequence[str], **options: Unpack[SendOptions]) -> dict[str, Outcomes]:
    """Send what the last intake left to be sent, sends first, and wait for every answer.

    Args:
        settings: the account, and where the stages and the ledger lie.
        datasets: names out of PUSHED.
        options: see `How`.

    Returns:
        The outcomes of the current input of these datasets.

    Raises:
        SettingsError: no key is set.
        AccessError: the key or the account was refused; what was not sent is pending.
        RequestError: the API refused a call as a whole; likewise.
        ServiceError: no usable answer within the bounds; likewise.
        BusyError: another push is under way.
        StorageError: the ledger or a stage cannot be used, or the ledger has forgotten revenue (see `audit.adopt`);
            nothing leaves that is not on record.
    """
    with _pushing(settings) as ledger:
        stopping.run(_send(settings, datasets, ledger, How(**options)))
        found = ledger.outcomes()
    return {name: found.get(name, Outcomes()) for name in datasets}


def plan(
    settings: Settings,
    datasets: Sequence[str],
    paths: Sequence[Path] | None = None,
    on_progress: Progress | None = None,
    decision: Decision | None = None,
    showing: Showing | None = None,
) -> PlanReport:
    """What `push` would do with all of the input; the ledger, the warehouse and the network are left alone.

    Args:
        settings: where everything lies.
        datasets: names out of PUSHED.
        paths: files and folders instead of `settings.history`.
        on_progress: called after every batch.
        decision: about revenue that may be there twice.
        showing: how much is shown of rows that are held back.

    Raises:
        UsageError: there is no history, or a file cannot be used.
        StorageError: the disk refused, or the ledger has forgotten revenue (see `audit.adopt`).
    """
    sources = find_sources(settings, datasets, paths)
    with existing_ledger(settings) as ledger:
        refuse_forgotten(settings, ledger)
        planning = Planning(settings, ledger, on_progress, decision, showing or Showing())
        return PlanReport(make_plans(planning, sources.found), sources.unread)


def push(
    settings: Settings,
    datasets: Sequence[str],
    paths: Sequence[Path] | None = None,
    *,
    ignore_unread: bool = False,
    decision: Decision | None = None,
    **options: Unpack[SendOptions],
) -> PushReport:
    """Take history in, send what is not in the account yet, and publish the outcomes, also of a push that failed.

    Args:
        settings: the account, and where everything lies.
        datasets: names out of PUSHED.
        paths: files and folders instead of `settings.history`.
        ignore_unread: go on without the files that are named like a dataset and cannot be read.
        decision: about revenue that may be there twice; kept, so that later pushes go by it.
        options: see `How`.

    Raises:
        TracklySyncError: as `intake` and `send` do.
    """
    sources = find_sources(settings, datasets, paths)
    refuse_unread(sources, ignore_unread)
    settings.require_key()
    return _push(settings, datasets, sources, How(**options), decision)


@watched(outcomes, of_alarms)
def _push(
    settings: Settings, datasets: Sequence[str], sources: Sources, how: How, decision: Decision | None
) -> PushReport:
    with _pushing(settings) as ledger:
        taking = Taking(on_progress=how.on_progress, run=how.run)
        intakes = _intake(settings, sources.found, ledger, taking, decision)
        try:
            reasons_by_name, unsettled = stopping.run(_send(settings, datasets, ledger, how))
        finally:
            publish_imports(settings)
        found, differing = ledger.outcomes(), ledger.differing()
    return PushReport(
        intakes=intakes,
        outcomes={name: found.get(name, Outcomes()) for name in datasets},
        reasons=reasons_by_name,
        unread=sources.unread,
        differing={name: differing.get(name, 0) for name in datasets},
        unsettled=unsettled,
    )


@contextmanager
def _pushing(settings: Settings) -> Iterator[Ledger]:
    """The ledger, for the one push of this part of the input that may be under way."""
    with push_lock(settings.data_dir), open_ledger(settings) as ledger, part_lock(ledger):
        refuse_forgotten(settings, ledger)
        yield ledger


def _intake(
    settings: Settings,
    sources: dict[str, list[Source]],
    ledger: Ledger,
    taking: Taking,
    decision: Decision | None = None,
) -> dict[str, Intake]:
    found = {}
    for name in _in_order(sources):
        with recorded(settings.data_dir, taking.run, f"take in {name}") as record:
            found[name] = take_in(settings, PUSHED[name], sources[name], ledger, taking.on_progress, decision)
            record.rows = found[name].rows_in
    return found


async def _send(
    settings: Settings, datasets: Sequence[str], ledger: Ledger, how: How
) -> tuple[dict[str, dict[str, int]], Unsettled]:
    """Send; returns by dataset why rows were left out, and what of revenue is open."""
    why: dict[str, dict[str, int]] = {}
    unsettled = Unsettled()
    async with TracklyClient(settings) as client:
        pushing = _Pushing(settings, client, ledger, how)
        for name in _in_order(datasets):
            with (
                recorded(settings.data_dir, how.run, f"push {name}") as record,
                _figures_kept(record, client, ledger, name),
            ):
                why[name], unsettled = await _send_one(pushing, name)
    return why, unsettled


@dataclass(frozen=True, slots=True)
class _Pushing:
    """One push on its way."""

    settings: Settings
    client: TracklyClient
    ledger: Ledger
    how: How


async def _send_one(pushing: _Pushing, name: str) -> tuple[dict[str, int], Unsettled]:
    """Send one dataset; returns why rows were left out, and what of revenue is open."""
    ledger = pushing.ledger
    if lost := ledger.recover(name):
        _log.warning("%s: %d calls of a push that ended early have no answer on record.", name, lost)
    if pushing.how.retry_rejected:
        ledger.reopen(name)
    unsettled = Unsettled()
    with _stage(pushing.settings, name, Privacy.of(pushing.settings)) as connection:
        seen = ledger.last_chunk(name)
        compared = compare(connection, name, ledger, between=pushing.how.between)
        compared.record(ledger)
        # before anything leaves: the files may be gone by the next push
        keep(connection, name, pushing.settings)
        if name == REVENUE:
            unsettled = await _send_revenue(pushing, compared)
        else:
            await _send_repeatable(pushing, compared, seen)
        why = held_reasons(connection)
    if synced := why.get(f"{Outcome.PARKED}: {SYNCED}"):
        _log.warning("%s: %s held back. %s.", name, plural(synced, "row is", "rows are"), SYNCED)
    with ledger.begin() as transaction:
        return why | reasons(transaction, name, MOST_REASONS), unsettled


async def _send_revenue(pushing: _Pushing, compared: Compared) -> Unsettled:
    with totals_folder(pushing.settings) as folder:
        loop = RevenuePush(compared, pushing.client, pushing.ledger, pushing.settings, folder, pushing.how)
        return await loop.run()


async def _send_repeatable(pushing: _Pushing, compared: Compared, seen: int) -> None:
    """Sends or clicks, of which the API skips repeats."""
    name, settings = compared.dataset, pushing.settings
    sending = Sending(
        pushing.client,
        pushing.ledger,
        name,
        total=pushing.ledger.outcomes()[name].pending - compared.later(),
        on_progress=pushing.how.on_progress,
        canary_share=settings.push_canary_share,
        privacy=Privacy.of(settings),
        seen=seen,
    )
    # Twice as many as may be under way: a call that waits for its turn costs nothing.
    await sending.run(Queue(compared), settings.concurrency * 2)


@contextmanager
def _stage(settings: Settings, name: str, privacy: Privacy) -> Iterator[duckdb.DuckDBPyConnection]:
    """The stage to send from; afterwards, however it ends, it holds no more than may be kept."""
    path = stage_path(settings, name)
    try:
        with opened(path) as connection:
            hold_ready(connection, name)
            privacy.define(connection)
            yield connection
    finally:
        put_away(path, PUSHED[name], privacy)


@contextmanager
def _figures_kept(record: RunRecord, client: TracklyClient, ledger: Ledger, name: str) -> Iterator[None]:
    """Fill in a push's record, also where it fails: it tells how far it came."""
    requests, retries = client.requests, client.retries

    def fill_in() -> None:
        counts = ledger.outcomes().get(name, Outcomes())
        again = client.retries - retries
        made = {"requests": client.requests - requests - again, "retries": again}
        record.rows, record.details = counts.accepted, details(**asdict(counts), **made)

    try:
        yield
    except TracklySyncError:
        with suppress(StorageError):  # the push's own error says more
            fill_in()
        raise
    fill_in()


def _in_order(datasets: Sequence[str] | dict[str, list[Source]]) -> list[str]:
    return [name for name in PUSHED if name in datasets]
