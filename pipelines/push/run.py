"""The push: intake of every dataset, then sends, then clicks and revenue, then what is published of it.

`intake` and `send` are the two halves, for an orchestrator; `push` is both; `plan` tells what a push would do. What
does not belong here: how rows are judged, cut, sent and counted, each of which has a module of its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from pipelines.alerts.after_run import watched
from pipelines.errors import StorageError, TracklySyncError, UsageError
from pipelines.process import interrupts
from pipelines.push.audit.alarms import of_alarms
from pipelines.push.audit.lost_ledger.detect import refuse_forgotten
from pipelines.push.audit.publish import publish_imports
from pipelines.push.checks.revenue.same_rows import Decision
from pipelines.push.files.find import Source, Sources, Unread, find_sources, refuse_unread, without_queries
from pipelines.push.intake import Incoming, Intake, IntakeOptions, Taking, judged, refuse_unusable, take_in
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.lock import part_lock, push_lock
from pipelines.push.ledger.opening import existing_ledger, open_ledger
from pipelines.push.ledger.queries.run_counts import sent_after
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.plan import Plan, Planning, Showing, make_plans
from pipelines.push.revenue.loop import Unsettled
from pipelines.push.send.options import How, SendOptions
from pipelines.push.sending import send_all
from pipelines.push.stage.cleanup import hold_stages
from pipelines.push.stage.database import Progress, count, is_current, stage_path
from pipelines.push.stage.query_cage import Bounds
from pipelines.push.stage.redact import holds_phones
from pipelines.runs import recorded
from pipelines.settings import Settings
from pipelines.text.humanize import plural
from schemas.registry import PUSHED


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
        StorageError: the disk refused, or the ledger has forgotten revenue (see `audit.lost_ledger`).
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
        StorageError: the ledger or a stage cannot be used, or the ledger has forgotten revenue (`audit.lost_ledger`);
            nothing leaves that is not on record.
    """
    with _pushing(settings) as ledger:
        interrupts.run(send_all(settings, datasets, ledger, How(**options)))
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
        StorageError: the disk refused, or the ledger has forgotten revenue (see `audit.lost_ledger`).
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
        _judge(settings, sources.found, taking)
        with _published(settings, ledger):
            incoming = Incoming(sources.found, decision)
            sent = interrupts.run(send_all(settings, datasets, ledger, how, incoming))
        found, differing = ledger.outcomes(), ledger.differing()
    return PushReport(
        intakes=sent.intakes,
        outcomes={name: found.get(name, Outcomes()) for name in datasets},
        reasons=sent.reasons,
        unread=sources.unread,
        differing={name: differing.get(name, 0) for name in datasets},
        unsettled=sent.unsettled,
    )


@contextmanager
def _published(settings: Settings, ledger: Ledger) -> Iterator[None]:
    """Publish the outcomes in the end, also of a push that failed.

    Raises:
        StorageError: they cannot be published. Rows may be in the account by then: the error tells what was sent, and
            names the failure before it, which it would hide otherwise.
    """
    seen = {name: ledger.last_chunk(name) for name in PUSHED}
    failed: TracklySyncError | None = None
    try:
        yield
    except TracklySyncError as error:
        failed = error
        raise
    finally:
        try:
            publish_imports(settings)
        except TracklySyncError as error:
            before = f"{failed.message} " if failed else ""
            raise StorageError(
                f"{before}{_sent_text(ledger, seen)} The warehouse was not rebuilt: {error.message}",
                error.remedy,
            ) from error


def _sent_text(ledger: Ledger, seen: Mapping[str, int]) -> str:
    """What was sent since some calls, in a sentence; without a figure where the ledger cannot be read.

    Args:
        ledger: open.
        seen: by dataset, the number of the last call before.
    """
    try:
        with ledger.begin() as transaction:
            sent = [sent_after(transaction, name, ledger.part, seen[name]).values() for name in seen]
    except StorageError:
        return "What was sent is in the ledger, and is not sent again."
    rows = sum(map(sum, sent))
    if not rows:
        return "Nothing was sent."
    return (
        f"{plural(rows, 'row was', 'rows were')} sent; the ledger has each of them, and none is sent again."
    )


@contextmanager
def _pushing(settings: Settings) -> Iterator[Ledger]:
    """The ledger, for the one push of this part of the input that may be under way."""
    with push_lock(settings.data_dir), open_ledger(settings) as ledger, part_lock(ledger):
        refuse_forgotten(settings, ledger)
        yield ledger


def _intake(
    settings: Settings, sources: dict[str, list[Source]], ledger: Ledger, taking: Taking
) -> dict[str, Intake]:
    """Rebuild stages from their files, and put them on record."""
    found: dict[str, Intake] = {}

    def take(name: str) -> int:
        found[name] = take_in(settings, PUSHED[name], sources[name], ledger, taking.on_progress)
        return found[name].rows_in

    _each(settings, sources, taking, take)
    return found


def _judge(settings: Settings, sources: dict[str, list[Source]], taking: Taking) -> None:
    """Rebuild stages from their files; `send_all` puts them on record, each when its turn has come."""

    def take(name: str) -> int:
        path = stage_path(settings, name)
        with judged(settings, path, PUSHED[name], sources[name], taking.on_progress) as stage:
            return count(stage, "SELECT count(*) FROM input")

    _each(settings, sources, taking, take)


def _each(
    settings: Settings, sources: dict[str, list[Source]], taking: Taking, take: Callable[[str], int]
) -> None:
    """Take in every dataset, in the order of PUSHED, each with its record.

    Args:
        settings: where everything lies.
        sources: by dataset, its files.
        taking: how.
        take: takes in a dataset, by its name; returns how many rows it has.

    Raises:
        UsageError: a file cannot be used as it is; the error names all of them.
    """
    names = [name for name in PUSHED if name in sources]
    for done, name in enumerate(names, start=1):
        try:
            with recorded(settings.data_dir, taking.run, f"take in {name}") as record:
                record.rows = take(name)
        except UsageError as error:
            refuse_unusable(settings, {later: sources[later] for later in names[done:]}, error)
