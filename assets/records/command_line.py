"""Runs of the command line as materializations, from their records and their files on disk.

Add an activity here if a command gets a new one. What must not go in: Dagster's storage (`run_records`, `events`),
and checks, which belong to the assets.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import dagster as dg

from assets.graph.months import NAME as MONTHS
from assets.graph.months import month_checks, months_of, partitions_of
from assets.inspection.lookups import (
    event_rows,
    input_rows,
    intake_of,
    noticed,
    recorded_rows,
    rows_by_month,
)
from assets.inspection.metadata import (
    of_events,
    of_intake,
    of_month,
    of_outcomes,
    of_reconciliation,
    of_snapshot,
    of_warehouse,
)
from assets.inspection.previews import Metadata
from pipelines.errors import StorageError
from pipelines.push.audit.balances import balances
from pipelines.push.audit.reconcile import Reconciliation, StillTwice
from pipelines.push.ledger.opening import existing_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.report import PAGE
from pipelines.runs.recording import seconds
from pipelines.settings import Settings
from pipelines.snapshots import snapshots
from pipelines.warehouse.published import published_snapshot
from pipelines.webhooks.queue.state import received
from schemas.own_tables.sync import RunRecord
from schemas.registry import PULLED, PUSHED
from schemas.webhook_events import WEBHOOK_EVENTS

_IMPORTS = tuple(f"imported_{name}" for name in PUSHED)
_ASSETS = {*PULLED, *_IMPORTS, *(f"history_{name}" for name in PUSHED), "warehouse", "reconciliation"} | {
    WEBHOOK_EVENTS.name
}
Made = tuple[str, Metadata]
"""An asset and the metadata of its materialization."""


def materializations(settings: Settings, records: Sequence[RunRecord]) -> Iterator[dg.AssetMaterialization]:
    """Yield the materializations of a run, one per asset; assets whose files are gone are omitted.

    Args:
        settings: where everything lies.
        records: the run's activities, oldest first.
    """
    made: dict[str, tuple[RunRecord, Metadata]] = {}
    for record in records:
        if record.status == "succeeded":
            verb, _, name = record.activity.partition(" ")
            for asset, metadata in _found(_MADE.get(verb, _nothing), settings, record, name):
                made[asset] = record, metadata
    for asset, (record, metadata) in made.items():
        yield dg.AssetMaterialization(
            asset,
            description=f"By the command line: {record.activity}.",
            metadata={**metadata, "run": record.run},
        )


def months(settings: Settings) -> tuple[list[dg.AssetMaterialization], list[dg.AssetCheckResult]]:
    """Return materializations of months that were begun, and the check results of all months.

    Empty without an input.
    """
    known = partitions_of(settings)
    keys = set(known.get_partition_keys())
    try:
        found = {key: one for key, one in months_of(settings).items() if key in keys and one.is_begun()}
    except StorageError:
        return [], []
    events = []
    for key, month in found.items():
        window = known.time_window_for_partition_key(key)
        metadata = of_month(month.counts, (window.start, window.end), None, None, month.differs)
        events.append(dg.AssetMaterialization(MONTHS, partition=key, metadata=metadata))
    return events, month_checks(found, settings)


def events_received(settings: Settings) -> dg.AssetMaterialization | None:
    """Return the materialization of webhook events that the receiver published; None without a receiver."""
    found = received(settings)
    if found is None:
        return None
    return dg.AssetMaterialization(
        WEBHOOK_EVENTS.name,
        description="By the receiver.",
        metadata=of_events(found, event_rows(settings)),
    )


def page_written(settings: Settings) -> tuple[dg.AssetMaterialization, float] | None:
    """Return the report's materialization and when it was written, seconds since 1970; None without a page."""
    path = settings.data_dir / PAGE
    try:
        found = path.stat()
    except OSError:
        return None
    return dg.AssetMaterialization(
        "report",
        description="By the command line: report.",
        metadata={"path": dg.MetadataValue.path(str(path)), "bytes": found.st_size},
    ), found.st_mtime


def assets_of(activity: str) -> tuple[str, ...]:
    """Return the assets that an activity makes; empty if it makes none."""
    verb, _, what = activity.partition(" ")
    name = what.removeprefix("in ")
    makes = {
        "pull": (name,),
        "replay": (name, "warehouse") if name in PULLED else (name,),
        "publish": ("warehouse",),
        "rollback": ("warehouse",),
        "take": (f"history_{name}",),
        "push": (f"imported_{name}",),
        "resolve": _IMPORTS,
        "adopt": _IMPORTS,
        "reconcile": ("reconciliation",),
    }
    return tuple(asset for asset in makes.get(verb, ()) if asset in _ASSETS)


def job_of(records: Sequence[RunRecord]) -> str:
    """Return the job for a run of the command line: pull or push.

    A run that no job can repeat (`rollback`, `replay`, `resolve`, `adopt`) has the name of its command. If a rollback
    were under `pull`, a click on "re-execute" would undo it.
    """
    verbs = {record.activity.partition(" ")[0] for record in records}
    for verb in ("rollback", "replay", "resolve", "adopt"):
        if verb in verbs:
            return verb
    return "push" if verbs & {"take", "push", "reconcile"} else "pull"


def _found(
    make: Callable[[Settings, RunRecord, str], Iterator[Made]],
    settings: Settings,
    record: RunRecord,
    name: str,
) -> list[Made]:
    try:
        return list(make(settings, record, name))
    except StorageError:  # another run has replaced or removed it
        return []


def _pulled(settings: Settings, record: RunRecord, name: str) -> Iterator[Made]:
    for snapshot in snapshots(settings.parquet_dir, name):
        if snapshot.manifest.run == record.run:
            yield name, of_snapshot(PULLED[name], snapshot, seconds(record))


def _published(settings: Settings, record: RunRecord, _name: str) -> Iterator[Made]:
    found = [snapshot for name in PULLED if (snapshot := published_snapshot(settings, name))]
    if found:
        yield "warehouse", of_warehouse(found, settings.warehouse, seconds(record))


def _replayed(settings: Settings, record: RunRecord, name: str) -> Iterator[Made]:
    if name == WEBHOOK_EVENTS.name:
        yield from _received(settings, record, name)
    if name in PULLED:
        yield from _pulled(settings, record, name)
        yield from _published(settings, record, name)


def _received(settings: Settings, record: RunRecord, _name: str) -> Iterator[Made]:
    found = received(settings)
    if found:
        rows = event_rows(settings)
        yield WEBHOOK_EVENTS.name, of_events(found, rows, seconds(record), record.rows or 0)


def _taken_in(settings: Settings, record: RunRecord, name: str) -> Iterator[Made]:
    dataset = PUSHED[name.removeprefix("in ")]
    rows, by_month = input_rows(settings, dataset), rows_by_month(settings, dataset.name)
    figures = of_intake(dataset, intake_of(settings, dataset), by_month, rows, seconds(record))
    yield f"history_{dataset.name}", {n: value for n, value in figures.items() if n != "known"}


def _pushed(settings: Settings, record: RunRecord, name: str) -> Iterator[Made]:
    for one in (name,) if name in PUSHED else PUSHED:
        rows, beside = recorded_rows(settings, PUSHED[one]), noticed(settings, one)
        done = [record] if record.activity == f"push {one}" else []
        counts = outcomes(settings)[one]
        yield f"imported_{one}", of_outcomes(one, counts, beside, rows, done, seconds(record))


def _reconciled(settings: Settings, record: RunRecord, _name: str) -> Iterator[Made]:
    details = record.figures
    with existing_ledger(settings) as ledger:
        found = balances(ledger)
    done = Reconciliation(
        balances=found,
        contacts=record.rows or 0,
        findings=details.get("findings", {}),
        missing=Decimal(details.get("missing", "0")),
        complete=True,
        alarms=details.get("alarms", 0),
        still_twice=StillTwice.of(details.get("still_twice", {})),
        repeated_calls=details.get("repeated_calls", 0),
    )
    yield "reconciliation", of_reconciliation(done, seconds(record))


def _nothing(_settings: Settings, _record: RunRecord, _name: str) -> Iterator[Made]:
    yield from ()


_MADE: dict[str, Callable[[Settings, RunRecord, str], Iterator[Made]]] = {
    "pull": _pulled,
    "publish": _published,
    "rollback": _published,
    "replay": _replayed,
    "take": _taken_in,
    "push": _pushed,
    "resolve": _pushed,
    "adopt": _pushed,
    "reconcile": _reconciled,
}
"""By the first word of an activity, a function that yields the assets it makes."""
