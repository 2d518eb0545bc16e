"""History on its way in: what the files hold, what was imported, and whether the books agree.

`history_*` take files in, `imported_*` send what is not in the account yet. Add an import here when the API gets
one. What must not go in: how rows are judged, cut or sent.
"""

import time
from collections.abc import Iterator

import dagster as dg

from assets.failures import told
from assets.metadata import column_schema, of_intake, of_outcomes
from assets.pulled import warehouse
from assets.resources import Trackly
from pipelines.push.publish import publish_imports
from pipelines.push.reconcile import reconcile
from pipelines.push.run import intake, send
from pipelines.settings import Settings
from schemas.columns import Dataset
from schemas.registry import PUSHED

GROUP = "push"
PUSH_JOB = "push"


def has_history(settings: Settings) -> bool:
    """Whether there is anything in the history folder."""
    return settings.history.is_dir() and any(settings.history.rglob("*.*"))


def _history(dataset: Dataset, deps: list[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    """An asset that takes one dataset's history files in; without any history only the push job fails."""

    @dg.asset(
        name=f"history_{dataset.name}",
        deps=deps,
        group_name=GROUP,
        kinds={"file"},
        output_required=False,
        description=f"{dataset.doc} Read from the history folder and judged; nothing is sent.",
        metadata={"dagster/column_schema": column_schema(dataset, pulled=False)},
    )
    def take_in(context: dg.AssetExecutionContext, trackly: Trackly) -> Iterator[dg.MaterializeResult[None]]:
        settings = trackly.settings()
        if not has_history(settings) and context.job_name != PUSH_JOB:
            context.log.info("There is no history in %s; nothing to import.", settings.history)
            return
        started = time.monotonic()
        with told():
            found = intake(settings, [dataset.name])[dataset.name]
        yield dg.MaterializeResult(metadata=of_intake(found, time.monotonic() - started))

    return take_in


def _imported(dataset: Dataset, deps: list[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    """An asset that sends what the account does not have yet of one dataset, and waits for every answer."""

    @dg.asset(
        name=f"imported_{dataset.name}",
        deps=deps,
        group_name=GROUP,
        kinds={"api"},
        description=f"{dataset.doc} Sent once; outcomes are in imports.records. Endpoint: {dataset.source}.",
    )
    def send_rows(trackly: Trackly) -> dg.MaterializeResult[None]:
        started = time.monotonic()
        with told():
            counts = send(trackly.settings(), [dataset.name])[dataset.name]
        return dg.MaterializeResult(metadata=of_outcomes(counts, time.monotonic() - started))

    return send_rows


history_sends = _history(PUSHED["sends"], [warehouse])
history_clicks = _history(PUSHED["clicks"], [warehouse])
history_revenue = _history(PUSHED["revenue"], [warehouse])
imported_sends = _imported(PUSHED["sends"], [history_sends])
imported_clicks = _imported(PUSHED["clicks"], [history_clicks, imported_sends])
imported_revenue = _imported(PUSHED["revenue"], [history_revenue, imported_sends])


@dg.asset(
    deps=[imported_clicks, imported_revenue],
    group_name=GROUP,
    kinds={"duckdb"},
    description="imports.records and imports.chunks in the warehouse, and the ledger against what the API said.",
)
def reconciliation(trackly: Trackly) -> dg.MaterializeResult[None]:
    """Publish the books and compare them."""
    settings = trackly.settings()
    with told():
        publish_imports(settings)
        books = reconcile(settings)
    return dg.MaterializeResult(
        metadata={
            "agrees": all(book.agrees for book in books.values()),
            **{f"accepted_{name}": book.accepted for name, book in books.items()},
            **{f"in_doubt_{name}": book.in_doubt for name, book in books.items()},
            "amount": float(books["revenue"].amount),
            "amount_acknowledged": float(books["revenue"].amount_acknowledged),
        }
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
