"""Pushed history: the files' contents, the imports, and the reconciliation with the account.

`history_*` take files in, `imported_*` send what is not in the account yet. Add an import here if the API gets a new
one. What must not go in: how rows are judged, cut or sent.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from assets.graph.external import HISTORY_FILES
from assets.graph.pulled import warehouse
from assets.inspection.lookups import input_rows, noticed, recorded_rows, rows_by_month
from assets.inspection.metadata import column_schema, of_intake, of_outcomes, of_reconciliation
from assets.resources import Trackly
from assets.runs.engine_calls import engine
from assets.runs.pools import PUSH_POOL
from assets.runs.started_by import attended
from pipelines.errors import BusyError, UsageError
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.files.find import find_sources
from pipelines.push.run import intake, send
from pipelines.runs.recording import records_of
from pipelines.settings import Settings
from schemas.columns import Dataset
from schemas.own_tables.imports import RECORDS
from schemas.registry import PUSHED

GROUP = "push"


class HistoryConfig(dg.Config):
    """How to treat a missing history, and files that cannot be read."""

    required: bool = Field(
        default=True, description="Fail where there are no history files; else the imports are skipped."
    )
    ignore_unread: bool = Field(
        default=False, description="Go on without files that are named like a dataset and cannot be read."
    )


def no_history(settings: Settings) -> str:
    """Return why there is no history to take in; empty if there is some."""
    try:
        find_sources(settings, list(PUSHED))
    except UsageError as error:
        return str(error)
    return ""


@contextmanager
def imports_published(settings: Settings) -> Iterator[None]:
    """Publish schema imports when the block ends, also if it failed, to show the progress of the push."""
    try:
        yield
    except BusyError:  # the other push publishes it
        raise
    except BaseException:
        publish_imports(settings)
        raise
    publish_imports(settings)


def _history(dataset: Dataset) -> dg.AssetsDefinition:
    """Build an asset that takes in one dataset's history files."""

    @dg.asset(
        name=f"history_{dataset.name}",
        deps=[HISTORY_FILES, warehouse],
        group_name=GROUP,
        pool=PUSH_POOL,
        kinds={"file"},
        output_required=False,
        description=f"{dataset.doc} Read from the history folder and judged; nothing is sent.",
        metadata={"dagster/column_schema": column_schema(dataset, pulled=False)},
    )
    def take_in(
        context: dg.AssetExecutionContext, config: HistoryConfig, trackly: Trackly
    ) -> Iterator[dg.MaterializeResult[None]]:
        started = time.monotonic()
        with engine(trackly) as settings:
            if not config.required and (why := no_history(settings)):
                context.log.warning("Nothing to import. %s", why)
                return
            found = intake(
                settings,
                [dataset.name],
                ignore_unread=config.ignore_unread,
                attended=attended(context.run),
                run=context.run.run_id,
            )[dataset.name]
            rows, months = input_rows(settings, dataset), rows_by_month(settings, dataset.name)
        yield dg.MaterializeResult(
            metadata=of_intake(dataset, found, months, rows, time.monotonic() - started),
            data_version=dg.DataVersion(context.run.run_id),
        )

    return take_in


def _imported(dataset: Dataset, deps: list[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    """Build an asset that sends one dataset's rows that the account does not have yet, and waits for every answer."""

    @dg.asset(
        name=f"imported_{dataset.name}",
        deps=deps,
        group_name=GROUP,
        pool=PUSH_POOL,
        kinds={"api"},
        description=f"{dataset.doc} Sent once; outcomes are in imports.records. Endpoint: {dataset.page}.",
        metadata={"dagster/column_schema": column_schema(RECORDS, pulled=False)},
    )
    def send_rows(context: dg.AssetExecutionContext, trackly: Trackly) -> dg.MaterializeResult[None]:
        started = time.monotonic()
        with engine(trackly) as settings:
            with imports_published(settings):
                counts = send(settings, [dataset.name], run=context.run.run_id)[dataset.name]
            rows, beside = recorded_rows(settings, dataset), noticed(settings, dataset.name)
            done = records_of(settings.data_dir, context.run.run_id, [f"push {dataset.name}"])
        return dg.MaterializeResult(
            metadata=of_outcomes(dataset.name, counts, beside, rows, done, time.monotonic() - started),
            data_version=dg.DataVersion(context.run.run_id),
        )

    return send_rows


history_sends = _history(PUSHED["sends"])
history_clicks = _history(PUSHED["clicks"])
history_revenue = _history(PUSHED["revenue"])
imported_sends = _imported(PUSHED["sends"], [history_sends])
imported_clicks = _imported(PUSHED["clicks"], [history_clicks, imported_sends])
imported_revenue = _imported(PUSHED["revenue"], [history_revenue, imported_sends])


@dg.asset(
    deps=[imported_sends, imported_clicks, imported_revenue],
    group_name=GROUP,
    pool=PUSH_POOL,
    kinds={"duckdb"},
    description="What the ledger has as accepted, against the API's answers, and against what the contacts' totals"
    " gained. Differences are in imports.differences.",
)
def reconciliation(context: dg.AssetExecutionContext, trackly: Trackly) -> dg.MaterializeResult[None]:
    """Compare the ledger with the account, contact by contact."""
    started = time.monotonic()
    with engine(trackly) as settings:
        done = reconcile(settings, run=context.run.run_id)
    return dg.MaterializeResult(
        metadata=of_reconciliation(done, time.monotonic() - started),
        data_version=dg.DataVersion(context.run.run_id),
    )


PUSHED_ASSETS = [
    history_sends,
    history_clicks,
    history_revenue,
    imported_sends,
    imported_clicks,
    imported_revenue,
    reconciliation,
]
