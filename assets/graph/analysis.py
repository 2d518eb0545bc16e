"""Assets made from the warehouse: its views, which need no run, and the report.

Views are computed when they are read, so they are external assets: on the graph, with their columns, and always up to
date. `records.views` records them as materialized whenever a table that they read is published. What must not go in:
their SQL (`pipelines/warehouse/marts`), and figures of the report (`pipelines.report`).
"""

import re
import time
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path

import dagster as dg

from assets.graph.pulled import warehouse
from assets.graph.pushed import imported_clicks, imported_revenue, imported_sends, reconciliation
from assets.graph.webhook_events import webhook_events
from assets.inspection.metadata import column_schema
from assets.resources import Trackly
from assets.runs.engine_calls import engine
from pipelines.cli.shared.report_run import make_report
from pipelines.report import PAGE
from schemas.columns import Dataset
from schemas.marts.registry import MARTS
from schemas.registry import DERIVED

GROUP = "analysis"
_IMPORTS = [imported_sends, imported_clicks, imported_revenue]


def mart_sql(name: str) -> str:
    """Return the SQL statement of a mart."""
    return mart_file(name).read_text(encoding="utf-8")


def mart_file(name: str) -> Path:
    """Return the file of a mart's statement."""
    return Path(str(files("pipelines.warehouse.marts").joinpath(f"{name}.sql")))


def _mart(name: str, dataset: Dataset) -> dg.AssetSpec:
    sql = mart_sql(name)
    used = {other for other in MARTS if other != name and re.search(rf"\bmarts\.{other}\b", sql)}
    return dg.AssetSpec(
        f"marts_{name}",
        deps=[
            warehouse,
            *(f"marts_{other}" for other in sorted(used)),
            *(_IMPORTS if "imports." in sql else ()),
            *([webhook_events] if "webhook_events" in sql else ()),
        ],
        group_name=GROUP,
        kinds={"duckdb", "view"},
        description=dataset.doc,
        metadata={"dagster/column_schema": column_schema(dataset, pulled=False)},
    )


def _derived(name: str, dataset: Dataset) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=[warehouse],
        group_name=GROUP,
        kinds={"duckdb", "view"},
        description=dataset.doc,
        metadata={"dagster/column_schema": column_schema(dataset, pulled=False)},
    )


@dg.asset(
    deps=[warehouse, *_IMPORTS, reconciliation],
    group_name=GROUP,
    kinds={"html"},
    description="One page about the warehouse: freshness, revenue, lists, imports, runs. As `trackly-sync report`.",
)
def report(context: dg.AssetExecutionContext, trackly: Trackly) -> dg.MaterializeResult[None]:
    """Write report.html in the data directory."""
    started = time.monotonic()
    with engine(trackly) as settings:
        path: Path = settings.data_dir / PAGE
        size, notes = make_report(settings, path, run=context.run.run_id)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(context.run.run_id),
        metadata={
            "path": dg.MetadataValue.path(str(path)),
            "bytes": size,
            "needs_attention": notes,
            "duration_seconds": round(time.monotonic() - started, 3),
        },
    )


VIEWS = [
    *(_mart(name, dataset) for name, dataset in MARTS.items()),
    *(_derived(name, dataset) for name, dataset in DERIVED.items()),
]
ANALYSIS_ASSETS = [report]


def views_of(assets: Collection[dg.AssetKey]) -> list[dg.AssetKey]:
    """Return the views that read these assets, directly or through another view; in the order of `VIEWS`."""
    found = set(assets)
    for view in VIEWS:  # each view reads only earlier ones
        if any(dep.asset_key in found for dep in view.deps):
            found.add(view.key)
    return [view.key for view in VIEWS if view.key in found]


def view_name(key: dg.AssetKey) -> str:
    """Return a view's name in the warehouse, with its schema."""
    name = key.to_user_string()
    return name if name in DERIVED else f"marts.{name.removeprefix('marts_')}"
