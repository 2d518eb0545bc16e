"""Reports runs of the command line to Dagster's records: `python -m assets.records.report`, with DAGSTER_HOME set.

A command starts it and does not wait (`pipelines.cli.shared.report_to_dagster`), and so do the pages when they start,
when a run takes long or was killed (`unreported`), and once a day, when old records are removed too (`pruning`). What
must not go in: the contents of reports (`command_line`), and how they are written (`run_records`, `events`).
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

import dagster as dg
from dagster._core.instance.utils import (
    RUNLESS_JOB_NAME,
    RUNLESS_RUN_ID,
)  # not public; the locks hold the version
from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from assets.checks import CHECKS
from assets.definitions import build_defs
from assets.graph.webhook_events import events_arrive
from assets.inspection.metadata import EVENT_FIGURES
from assets.records import command_line
from assets.records.events import evaluation, report_months
from assets.records.provenance import inputs_of, versioned
from assets.records.pruning import prune_dagster
from assets.records.run_records import opened
from assets.records.unreported import by_run, unreported
from assets.records.views import record_views
from assets.resources import GivenTrackly
from assets.runs.started_by import by_command_line
from pipelines.run_records.unreported import Notice, dagster_folder, done, failed, pending
from pipelines.runs.activity_state import unended
from pipelines.runs.recording import last_of_each, newest
from pipelines.settings import Settings, load_settings
from pipelines.storage import be_private
from schemas.own_tables.sync import RunRecord

_log = logging.getLogger(__name__)
_NICE = 10
_LOCK_SECONDS = 60.0


def report_pending(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Report every run with a notice, then runs under way or killed; return the number of notices.

    If a run cannot be reported, the next processes try again, a few times.
    """
    with FileLock(dagster_folder(settings.data_dir) / ".reporting.lock", timeout=_LOCK_SECONDS):
        defs, number = build_defs(), 0
        for notice in pending(settings.data_dir):
            if _went_well(partial(_report_all, instance, settings, defs, notice)):
                done(settings.data_dir, notice)
                number += 1
            else:
                failed(settings.data_dir, notice)
        for records in unreported(instance, settings):
            _went_well(partial(report, instance, settings, defs, records))
        _went_well(partial(_settle, instance, settings))
        _went_well(partial(report_events, instance, settings, defs))
        _went_well(partial(report_page, instance, settings, defs))
    return number


def _report_all(
    instance: dg.DagsterInstance, settings: Settings, defs: dg.Definitions, notice: Notice
) -> None:
    for records in by_run(records_of(settings, notice)):
        report(instance, settings, defs, records)


def _went_well(reporting: Callable[[], None]) -> bool:
    """Whether a report succeeded; if not, the log has the reason."""
    try:
        reporting()
    except Exception:  # noqa: BLE001 - nobody waits for it, and the next process tries again
        _log.exception("A run of the command line could not be reported.")
        return False
    return True


def report(
    instance: dg.DagsterInstance, settings: Settings, defs: dg.Definitions, records: Sequence[RunRecord]
) -> None:
    """Report a run: its assets and checks, the months sent, its failures, and whether it is still running.

    Args:
        instance: Dagster's records.
        settings: where everything lies.
        defs: the assets and jobs.
        records: the run's activities, oldest first.
    """
    run = opened(instance, defs, records)
    if run is None:
        return
    made = {event.asset_key: event for event in command_line.materializations(settings, records)}
    graph = defs.resolve_asset_graph()
    place = {key: number for number, key in enumerate(graph.toposorted_asset_keys)}
    beside: set[dg.AssetKey] = set()
    for one in sorted(run.tried, key=lambda one: place[dg.AssetKey(one.asset)]):  # inputs first
        if (event := made.get(dg.AssetKey(one.asset))) is not None:
            run.report(one)(versioned(instance, graph, event, records[0].run, one.began, beside))
            beside.add(event.asset_key)
        run.end_step(one)
    record_views(instance, settings, made, records[0].run, command_line.job_of(records), run.ended())
    if any(record.activity.startswith(("push", "resolve", "adopt")) for record in records):
        report_months(instance, settings, run.report())
    checked = _checked(instance, settings, made)
    run.evaluate([evaluation(instance, result) for result in checked])
    run.close()


def _settle(instance: dg.DagsterInstance, settings: Settings) -> None:
    """End runs in Dagster that have no records of ours any more, since no other code would."""
    begun = [
        run
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        if by_command_line(run)
    ]
    if not begun:
        return
    on_record = {record.run for record in (*unended(settings.data_dir), *newest(settings.data_dir))}
    noticed = {notice.run for notice in pending(settings.data_dir)}
    for run in begun:
        if run.run_id not in on_record | noticed:
            instance.report_run_failed(run, "Nothing is on record of how this run ended.")


def report_events(instance: dg.DagsterInstance, settings: Settings, defs: dg.Definitions) -> None:
    """Report webhook events that the receiver has published by itself; they belong to no run.

    Args:
        instance: Dagster's records.
        settings: where everything lies.
        defs: which asset is made of which.
    """
    received = command_line.events_received(settings)
    if received is None:
        return
    figures = repr([received.metadata[name].value for name in EVENT_FIGURES])
    version = sha256(figures.encode()).hexdigest()
    found = versioned(instance, defs.resolve_asset_graph(), received, version, time.time())
    last = instance.get_latest_materialization_event(found.asset_key)
    before = last.asset_materialization if last else None
    if before and _is_like(before, found):
        return
    instance.report_runless_asset_event(found)
    record_views(instance, settings, [found.asset_key], RUNLESS_RUN_ID, RUNLESS_JOB_NAME, time.time())
    for result in _checked(instance, settings, [found.asset_key]):
        instance.report_runless_asset_event(evaluation(instance, result))


def _is_like(before: dg.AssetMaterialization, found: dg.AssetMaterialization) -> bool:
    """Whether the figures of events are the same, in the same warehouse."""
    same = all(before.metadata.get(name) == found.metadata[name] for name in EVENT_FIGURES)
    return same and inputs_of(before) == inputs_of(found)


def report_page(instance: dg.DagsterInstance, settings: Settings, defs: dg.Definitions) -> None:
    """Report the page of `trackly-sync report`, which is no run either, where it is newer than what is on record.

    Args:
        instance: Dagster's records.
        settings: where everything lies.
        defs: which asset is made of which.
    """
    found = command_line.page_written(settings)
    if found is None:
        return
    event, at = found
    last = instance.fetch_materializations(event.asset_key, limit=1).records
    if last and last[0].timestamp >= at:
        return
    instance.report_runless_asset_event(
        versioned(instance, defs.resolve_asset_graph(), event, f"page of {at}", at)
    )


def _checked(
    instance: dg.DagsterInstance, settings: Settings, made: Iterable[dg.AssetKey]
) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of the assets' checks; without an instance, Dagster would make one for each."""
    for check in (*CHECKS, events_arrive):
        if not {key.asset_key for key in check.check_keys} & set(made):
            continue
        run: Callable[..., Any] = check
        trackly = GivenTrackly(settings)
        alone = len(list(check.check_keys)) == 1
        context = () if alone else (dg.build_asset_check_context(instance=instance),)
        found = run(*context, trackly=trackly)
        for result in [found] if isinstance(found, dg.AssetCheckResult) else found:
            (key,) = [k for k in check.check_keys if alone or k.name == result.check_name]
            yield result._replace(asset_key=key.asset_key, check_name=key.name)


def records_of(settings: Settings, notice: Notice) -> list[RunRecord]:
    """Return the activities of a notice, oldest first."""
    if not notice.run:  # a notice about all runs before Dagster was used
        last = last_of_each(settings.data_dir, "succeeded").values()
        return sorted(last, key=lambda record: record.started_at)
    since = datetime.fromisoformat(notice.since)
    found = []
    for record in newest(settings.data_dir):
        if datetime.fromisoformat(record.started_at) < since:
            break
        if record.run == notice.run:
            found.append(record)
    return found[::-1]


def bring_up_to_date(settings: Settings) -> int:
    """Report and prune in the records of DAGSTER_HOME; return 1 if this fails, which is only a warning."""
    try:
        with dg.DagsterInstance.get() as instance:
            report_pending(instance, settings)
            prune_dagster(instance, settings)
    except Timeout:  # another process has been reporting for long
        return 1
    except (dg.DagsterError, SQLAlchemyError, OSError) as error:  # damaged, or of another version
        _log.warning(
            "Dagster's records cannot be used, so that they miss what commands did: %s", type(error).__name__
        )
        return 1
    return 0


def main() -> int:
    """Report, in the background."""
    be_private()
    os.nice(_NICE)
    return bring_up_to_date(load_settings())


if __name__ == "__main__":
    sys.exit(main())
