"""The push: intake of every dataset, then sends, then clicks and revenue, then publishing their outcomes.

`intake` and `send` are the two halves, for an orchestrator; `push` is both; `plan` shows what a push would do. What
does not belong here: how rows are judged, cut, sent and counted; each of these has a module of its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from pipelines.process import interrupts
from pipelines.push.audit.alerts import watched_push
from pipelines.push.audit.lost_ledger.detect import refuse_forgotten
from pipelines.push.audit.publish.publish import outcomes_published
from pipelines.push.checks.revenue.same_rows import Decision
from pipelines.push.files.find import Sources, Unread, find_sources, refuse_unread, without_queries
from pipelines.push.intake.dataset import Incoming
from pipelines.push.intake.datasets import failed_intake_recorded, is_ready, judge_all, take_in_all
from pipelines.push.intake.found import Intake
from pipelines.push.intake.options import IntakeChoices, IntakeOptions
from pipelines.push.ledger.killed_pushes import complete_killed
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.lock import part_lock, push_lock
from pipelines.push.ledger.opening import existing_ledger, open_ledger
from pipelines.push.outcomes import Outcomes
from pipelines.push.plan import Plan, Planning, Showing, make_plans
from pipelines.push.revenue.loop import Unsettled
from pipelines.push.send.options import SendChoices, SendOptions
from pipelines.push.send_datasets import send_all
from pipelines.push.stage.cleanup import hold_stages
from pipelines.push.stage.database import Progress
from pipelines.settings import Settings


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a push did.

    Attributes:
        intakes: by dataset, what was found in its files.
        outcomes: by dataset, the outcomes of the current input after the push.
        reasons: by dataset, why rows were left out or are pending, and how many.
        unread: files that are named like a dataset and were not read.
        differing: by dataset, how many rows in the account now have other content in their file.
        unsettled: open revenue: rows that wait to be settled, and alarms.
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


@watched_push
def intake(
    settings: Settings,
    datasets: Sequence[str],
    paths: Sequence[Path] | None = None,
    **options: Unpack[IntakeOptions],
) -> dict[str, Intake]:
    """Read and judge history files, and record them as the current input. Sends nothing.

    Args:
        settings: the place of history, warehouse and ledger.
        datasets: names out of PUSHED.
        paths: files and folders instead of `settings.history`.
        options: see `IntakeChoices`.

    Raises:
        UsageError: there is no history, or a file cannot be used; nothing was changed for its dataset.
        BusyError: another push is under way.
        StorageError: the disk refused, or the ledger has forgotten revenue (see `audit.lost_ledger`).
    """
    choices = IntakeChoices(**options)
    sources = find_sources(settings, datasets, paths)
    if not choices.attended and not settings.sql_sources:
        sources = without_queries(sources)
    refuse_unread(sources, choices.ignore_unread)
    found = sources.found
    with failed_intake_recorded(settings, found, choices), _pushing(settings) as ledger:
        hold_stages(settings.data_dir)  # this process sends the stages later, and holds no lock in between
        if choices.changed:
            found = {n: s for n, s in found.items() if not is_ready(settings, n, s)}
        return take_in_all(settings, found, ledger, choices)


@watched_push
def send(settings: Settings, datasets: Sequence[str], **options: Unpack[SendOptions]) -> dict[str, Outcomes]:
    """Send the rows that the last intake left pending, sends first, and wait for every answer.

    Args:
        settings: the account, and the place of stages and ledger.
        datasets: names out of PUSHED.
        options: see `SendChoices`.

    Returns:
        The outcomes of the current input of these datasets.

    Raises:
        SettingsError: no key is set.
        AccessError: the key or the account was refused; rows that were not sent are pending.
        RequestError: the API refused a call as a whole; rows that were not sent are pending.
        ServiceError: no usable answer within the limits of retries; rows that were not sent are pending.
        BusyError: another push is under way.
        StorageError: the ledger or a stage cannot be used, or the ledger has forgotten revenue (`audit.lost_ledger`);
            no request leaves without its record.
    """
    choices = SendChoices(**options)
    with choices.on_record(settings.data_dir, datasets), _pushing(settings) as ledger:
        interrupts.run(send_all(settings, datasets, ledger, choices))
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
    """Return what `push` would do with the input; ledger, warehouse and network are not touched.

    Args:
        settings: the place of all files.
        datasets: names out of PUSHED.
        paths: files and folders instead of `settings.history`.
        on_progress: called after every batch.
        decision: about revenue that may be in the account twice.
        showing: which rows, and how much of those that are held back.

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
    """Take history in, send rows that are not in the account yet, and publish the outcomes, even if the push fails.

    Args:
        settings: the account, and the place of all files.
        datasets: names out of PUSHED.
        paths: files and folders instead of `settings.history`.
        ignore_unread: go on without files that are named like a dataset and cannot be read.
        decision: about revenue that may be in the account twice; it is kept, so that later pushes follow it.
        options: see `SendChoices`.

    Raises:
        TracklySyncError: see `intake` and `send`.
    """
    sources = find_sources(settings, datasets, paths)
    refuse_unread(sources, ignore_unread)
    settings.require_key()
    return _push(settings, datasets, sources, SendChoices(**options), decision)


@watched_push
def _push(
    settings: Settings,
    datasets: Sequence[str],
    sources: Sources,
    choices: SendChoices,
    decision: Decision | None,
) -> PushReport:
    with choices.on_record(settings.data_dir, datasets), _pushing(settings) as ledger:
        of_intake = IntakeChoices(on_progress=choices.on_progress, run=choices.run)
        judge_all(settings, sources.found, of_intake)
        with outcomes_published(settings, ledger):
            incoming = Incoming(sources.found, decision)
            sent = interrupts.run(send_all(settings, datasets, ledger, choices, incoming))
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
def _pushing(settings: Settings) -> Iterator[Ledger]:
    """Yield the ledger, locked: of each part of the input only one push may be under way."""
    with push_lock(settings.data_dir), open_ledger(settings) as ledger, part_lock(ledger):
        refuse_forgotten(settings, ledger)
        complete_killed(settings, ledger)
        yield ledger
