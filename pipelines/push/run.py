"""The push: intake of every dataset, then sends, then clicks and revenue, then the books in the warehouse.

`intake` and `send` are the two halves, for an orchestrator; `push` is both. What does not belong here: how rows
are judged, cut, sent and counted, each of which has a module of its own.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import duckdb

from pipelines import stopping
from pipelines.errors import StorageError, TracklySyncError
from pipelines.privacy import Privacy
from pipelines.pull.contact_totals import room_for_readings
from pipelines.push.audit.adopt import refuse_forgotten
from pipelines.push.audit.alarms import of_alarms
from pipelines.push.audit.archive import keep
from pipelines.push.audit.publish import publish_imports
from pipelines.push.checks.compare import SYNCED, Period, hold_against, later
from pipelines.push.checks.same_rows import Decision
from pipelines.push.files.find import Source, Sources, Unread, find_sources, refuse_unread, without_queries
from pipelines.push.intake import MOST_REASONS, Intake, held_reasons, take_in
from pipelines.push.ledger.db.tables import REVENUE
from pipelines.push.ledger.ledger import Ledger, existing_ledger, open_ledger
from pipelines.push.ledger.lock import part_lock, push_lock
from pipelines.push.ledger.queries.sums import reasons
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.push.plan import Plan, Showing, make_plans
from pipelines.push.revenue.loop import RevenuePush, Unsettled
from pipelines.push.send.sender import Sending
from pipelines.push.stage.database import Progress, is_current, opened, stage_path
from pipelines.push.stage.leftovers import hold_stages
from pipelines.push.stage.query_cage import Bounds
from pipelines.push.stage.redact import hold_ready, holds_phones, put_away
from pipelines.runs import details, recorded, this_run
from pipelines.settings import Settings
from pipelines.spans import plural
from pipelines.trackly.client import TracklyClient
from pipelines.watched import watched
from schemas.registry import PUSHED
from schemas.sync import RunRecord

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a push did, or with `dry_run` would do.

    Attributes:
        intakes: what was found in the files; of a dry run see `plans`.
        outcomes: the outcomes of the current input after the push; empty for a dry run.
        reasons: by dataset, why rows were left out or are pending, and how many; empty for a dry run.
        plans: a dry run's plans; else empty.
        unread: files that are named like a dataset and were not read.
        differing: by dataset, how many rows are in the account and say something else in their file by now.
        unsettled: what of revenue is open: rows that wait to be settled, and alarms.
    """

    intakes: dict[str, Intake]
    outcomes: dict[str, Outcomes]
    reasons: dict[str, dict[str, int]]
    plans: dict[str, Plan]
    unread: tuple[Unread, ...] = ()
    differing: dict[str, int] = field(default_factory=dict)
    unsettled: Unsettled = field(default_factory=Unsettled)


@dataclass(frozen=True, slots=True)
class _How:
    """How a push is to send; see `push`."""

    retry_rejected: bool = False
    between: Period | None = None
    wait: bool = True
    on_progress: Progress | None = None


@watched(outcomes, of_alarms)
def intake(
    settings: Settings,
    datasets: Sequence[str],
    paths: Sequence[Path] | None = None,
    on_progress: Progress | None = None,
    *,
    changed: bool = False,
    ignore_unread: bool = False,
    attended: bool = True,
    run: str | None = None,
) -> dict[str, Intake]:
    """Read and judge history files, and record them as the current input. Sends nothing.

    Args:
        settings: where history, warehouse and ledger lie.
        datasets: names out of PUSHED.
        paths: files and folders instead of `settings.history`.
        on_progress: called after every batch.
        changed: take in only datasets whose files are others than at their last intake, or have changed since.
        ignore_unread: go on without the files that are named like a dataset and cannot be read.
        attended: whether a person started this; else `.sql` files are read only if `sql_sources` is set.
        run: the run's id in sync.runs; by default a new one.

    Raises:
        UsageError: there is no history, or a file cannot be used; nothing was changed for its dataset.
        BusyError: another push is under way.
        StorageError: the disk refused, or the ledger has forgotten revenue (see `audit.adopt`).
    """
    sources = find_sources(settings, datasets, paths)
    if not attended and not settings.sql_sources:
        sources = without_queries(sources)
    refuse_unread(sources, ignore_unread)
    found = sources.found
    with _pushing(settings) as ledger:
        hold_stages(settings.data_dir)  # they are sent later, by this process, which has no lock in between
        if changed:
            found = {n: s for n, s in found.items() if not _is_ready(settings, n, s)}
        return _intake(settings, found, ledger, on_progress, run or this_run())


def _is_ready(settings: Settings, name: str, sources: list[Source]) -> bool:
    """Whether the stage is of these files as they are now, and can be sent."""
    path = stage_path(settings, name)
    current = is_current(path, sources, settings.warehouse, Bounds.of(settings))
    return current and (settings.hash_phones is None or holds_phones(path))


@watched(outcomes, of_alarms)
def send(
    settings: Settings,
    datasets: Sequence[str],
    *,
    retry_rejected: bool = False,
    between: Period | None = None,
    wait: bool = True,
    on_progress: Progress | None = None,
    run: str | None = None,
) -> dict[str, Outcomes]:
    """Send what the last intake left to be sent, sends first, and wait for every answer.

    Args:
        settings: the account, and where the stages and the ledger lie.
        datasets: names out of PUSHED.
        retry_rejected: whether rows that the API rejected earlier are tried again.
        between: send only rows of this time, by their own timestamp; the others stay pending.
        wait: whether to wait until revenue without an answer can be settled; else a later push does it.
        on_progress: called after every answer.
        run: the run's id in sync.runs; by default a new one.

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
        run = run or this_run()
        how = _How(retry_rejected, between, wait, on_progress)
        stopping.run(_send(settings, datasets, ledger, how, run))
        found = ledger.outcomes()
    return {name: found.get(name, Outcomes()) for name in datasets}


def push(
    settings: Settings,
    datasets: Sequence[str],
    paths: Sequence[Path] | None = None,
    *,
    dry_run: bool = False,
    retry_rejected: bool = False,
    ignore_unread: bool = False,
    between: Period | None = None,
    wait: bool = True,
    on_progress: Progress | None = None,
    run: str | None = None,
    decision: Decision | None = None,
    showing: Showing | None = None,
) -> PushReport:
    """Take history in, send what is not in the account yet, and publish the books, also of a push that failed.

    Args:
        settings: the account, and where everything lies.
        datasets: names out of PUSHED.
        paths: files and folders instead of `settings.history`.
        dry_run: plan only; the ledger, the warehouse and the network are left alone.
        retry_rejected: whether rows that the API rejected earlier are tried again.
        ignore_unread: go on without the files that are named like a dataset and cannot be read.
        between: as for `send`; a plan is for all of the input.
        wait: as for `send`.
        on_progress: called after every batch and answer.
        run: the run's id in sync.runs; by default a new one.
        decision: about revenue that may be there twice; kept, so that later pushes go by it.
        showing: how much a plan shows of rows that are held back.

    Raises:
        TracklySyncError: as `intake` and `send` do.
    """
    sources = find_sources(settings, datasets, paths)
    if dry_run:
        plans = _plans(settings, sources.found, on_progress, decision, showing)
        return PushReport({}, {}, {}, plans, sources.unread)
    refuse_unread(sources, ignore_unread)
    settings.require_key()
    how = _How(retry_rejected, between, wait, on_progress)
    return _push(settings, datasets, sources, how, run or this_run(), decision)


@watched(outcomes, of_alarms)
def _push(
    settings: Settings,
    datasets: Sequence[str],
    sources: Sources,
    how: _How,
    run: str,
    decision: Decision | None,
) -> PushReport:
    with _pushing(settings) as ledger:
        intakes = _intake(settings, sources.found, ledger, how.on_progress, run, decision)
        try:
            told, unsettled = stopping.run(_send(settings, datasets, ledger, how, run))
        finally:
            publish_imports(settings)
        found, differing = ledger.outcomes(), ledger.differing()
    return PushReport(
        intakes,
        {name: found.get(name, Outcomes()) for name in datasets},
        told,
        {},
        sources.unread,
        {name: differing.get(name, 0) for name in datasets},
        unsettled,
    )


@contextmanager
def _pushing(settings: Settings) -> Iterator[Ledger]:
    """The ledger, for the one push of this part of the input that may be under way."""
    with push_lock(settings.data_dir), open_ledger(settings) as ledger, part_lock(ledger):
        refuse_forgotten(settings, ledger)
        yield ledger


def _plans(
    settings: Settings,
    sources: dict[str, list[Source]],
    on_progress: Progress | None,
    decision: Decision | None,
    showing: Showing | None,
) -> dict[str, Plan]:
    with existing_ledger(settings) as ledger:
        refuse_forgotten(settings, ledger)
        return make_plans(settings, sources, ledger, on_progress, decision, showing)


def _intake(
    settings: Settings,
    sources: dict[str, list[Source]],
    ledger: Ledger,
    on_progress: Progress | None,
    run: str,
    decision: Decision | None = None,
) -> dict[str, Intake]:
    found = {}
    for name in _in_order(sources):
        with recorded(settings.data_dir, run, f"take in {name}") as record:
            path, dataset = stage_path(settings, name), PUSHED[name]
            found[name] = take_in(
                path,
                dataset,
                sources[name],
                settings.warehouse,
                ledger,
                on_progress,
                hold_synced=not settings.push_synced_revenue,
                bounds=Bounds.of(settings),
                privacy=Privacy.of(settings),
                decision=decision,
            )
            record.rows = found[name].rows_in
    return found


async def _send(
    settings: Settings,
    datasets: Sequence[str],
    ledger: Ledger,
    how: _How,
    run: str,
) -> tuple[dict[str, dict[str, int]], Unsettled]:
    """Send; tells why rows were left out, and what of revenue is open."""
    told: dict[str, dict[str, int]] = {}
    unsettled = Unsettled()
    privacy = Privacy.of(settings)
    async with TracklyClient(settings) as client:
        for name in _in_order(datasets):
            with (
                recorded(settings.data_dir, run, f"push {name}") as record,
                _figures_kept(record, client, ledger, name),
            ):
                lost = ledger.recover(name)
                if lost:
                    _log.warning(
                        "%s: %d calls of a push that ended early have no answer on record.", name, lost
                    )
                if how.retry_rejected:
                    ledger.reopen(name)
                with _stage(settings, name, privacy) as connection:
                    seen = ledger.last_chunk(name)
                    rows_in, held, presence = hold_against(connection, name, ledger, between=how.between)
                    ledger.take_in(name, rows_in, held, presence)
                    keep(connection, name, settings)
                    if name == REVENUE:
                        with room_for_readings(settings) as folder:
                            unsettled = await RevenuePush(
                                connection,
                                client,
                                ledger,
                                settings,
                                folder,
                                how.on_progress,
                                how.between,
                                how.wait,
                            ).run()
                    else:
                        pending = ledger.outcomes()[name].pending - later(connection)
                        # Twice as many as may be under way: a call that waits for its turn costs nothing.
                        workers = settings.concurrency * 2
                        canary = settings.push_canary_share
                        sending = Sending(
                            client, ledger, name, pending, how.on_progress, canary, privacy=privacy, seen=seen
                        )
                        await sending.run(connection, workers)
                    told[name] = held_reasons(connection)
                if synced := told[name].get(f"{Outcome.PARKED}: {SYNCED}"):
                    _log.warning("%s: %s held back. %s.", name, plural(synced, "row is", "rows are"), SYNCED)
                with ledger.begin() as transaction:
                    told[name] |= reasons(transaction, name, MOST_REASONS)
    return told, unsettled


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
