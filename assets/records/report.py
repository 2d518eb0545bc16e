"""Reports to Dagster's records what the command line did: `python -m assets.records.report`, with DAGSTER_HOME set.

A command starts it and does not wait (`pipelines.cli.shared.report_to_dagster`), and so do the pages when they
start and once a day; what is too old is removed then (`pruning`). What must not go in: what there is to report
(`command_line`).
"""

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,  # not among the public names; the locks hold the version
    AssetCheckEvaluationTargetMaterializationData,
)
from filelock import FileLock, Timeout

from assets.checks import CHECKS
from assets.records import command_line
from assets.records.pruning import prune_dagster
from assets.resources import GivenTrackly
from pipelines.run_records.unreported import Notice, dagster_folder, done, failed, pending
from pipelines.runs import last_of_each, newest
from pipelines.settings import Settings, load_settings
from pipelines.storage import be_private
from schemas.own_tables.sync import RunRecord

_log = logging.getLogger(__name__)
_NICE = 10
_LOCK_SECONDS = 60.0


def report_pending(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Report every run that a notice is left of; returns how many that were.

    A run that cannot be reported is tried again by the next process, a few times.
    """
    number = 0
    with FileLock(dagster_folder(settings.data_dir) / ".reporting.lock", timeout=_LOCK_SECONDS):
        for notice in pending(settings.data_dir):
            try:
                report(instance, settings, records_of(settings, notice))
            except Exception:  # noqa: BLE001 - nobody waits for it, and the next process tries again
                _log.exception("A run of the command line could not be reported.")
                failed(settings.data_dir, notice)
            else:
                done(settings.data_dir, notice)
                number += 1
    return number


def report(instance: dg.DagsterInstance, settings: Settings, records: Sequence[RunRecord]) -> None:
    """Report what runs have made and checked, which months they have sent, and what failed.

    Args:
        instance: Dagster's records.
        settings: where everything lies.
        records: the runs' activities, oldest first.
    """
    for failure in command_line.failures(records):
        instance.report_runless_asset_event(failure)
    made: list[dg.AssetKey] = []
    for event in command_line.materializations(settings, records):
        instance.report_runless_asset_event(event)
        made.append(event.asset_key)
    for result in _checked(settings, made):
        _report_check(instance, result)
    if any(record.activity.startswith(("push", "resolve", "adopt")) for record in records):
        report_months(instance, settings)


def report_months(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Report months whose rows stand otherwise than their last materialization says."""
    for event, checks in command_line.months(settings):
        last = instance.fetch_materializations(
            dg.AssetRecordsFilter(event.asset_key, asset_partitions=[str(event.partition)]), limit=1
        ).records
        if last and _figures(last[0].asset_materialization) == _figures(event):
            continue
        instance.report_runless_asset_event(event)
        for check in checks:
            _report_check(instance, check)


def _figures(event: dg.AssetMaterialization | None) -> dict[str, Any]:
    found = event.metadata if event else {}
    return {name: value.value for name, value in found.items() if name.startswith(("month_", "differs"))}


def _checked(settings: Settings, made: Iterable[dg.AssetKey]) -> Iterator[dg.AssetCheckResult]:
    """The results of the assets' own checks."""
    for check in CHECKS:
        if not {key.asset_key for key in check.check_keys} & set(made):
            continue
        run: Callable[..., Any] = check
        trackly = GivenTrackly(settings)
        alone = len(list(check.check_keys)) == 1
        found = run(trackly=trackly) if alone else run(dg.build_asset_check_context(), trackly=trackly)
        for result in [found] if isinstance(found, dg.AssetCheckResult) else found:
            (key,) = [k for k in check.check_keys if alone or k.name == result.check_name]
            yield result._replace(asset_key=key.asset_key, check_name=key.name)


def _report_check(instance: dg.DagsterInstance, result: dg.AssetCheckResult) -> None:
    key = result.asset_key
    assert key is not None  # noqa: S101 - ours have one
    last = instance.fetch_materializations(key, limit=1).records
    target = (
        AssetCheckEvaluationTargetMaterializationData(
            storage_id=last[0].storage_id, run_id=last[0].run_id, timestamp=last[0].timestamp
        )
        if last
        else None
    )
    instance.report_runless_asset_event(
        AssetCheckEvaluation(
            key,
            str(result.check_name),
            result.passed,
            metadata=result.metadata,
            target_materialization_data=target,
            severity=result.severity,
            description=result.description,
        )
    )


def records_of(settings: Settings, notice: Notice) -> list[RunRecord]:
    """The activities that a notice is about, oldest first."""
    if not notice.run:  # of all that ran before Dagster was here
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


def main() -> int:
    """Report; 1 where another process is at it for long."""
    be_private()
    os.nice(_NICE)
    settings = load_settings()
    try:
        with dg.DagsterInstance.get() as instance:
            report_pending(instance, settings)
            prune_dagster(instance, settings)
    except Timeout:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
