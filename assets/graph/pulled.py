"""The pulled datasets and the warehouse that publishes them.

Add a dataset here when `pipelines.pull` can read it. What must not go in: how it is read.
"""

import time

import dagster as dg

from assets.graph.external import ACCOUNT
from assets.inspection.metadata import column_schema, of_snapshot, of_unserved, of_warehouse
from assets.resources import Trackly
from assets.runs.engine_calls import engine
from assets.runs.pools import PULL_POOL, WAREHOUSE_POOL
from pipelines.pull.run import publish_latest, snapshot_dataset
from pipelines.pull.snapshot import ReadOptions
from pipelines.push.audit.publish.lost_warehouse import publish_missing_imports
from pipelines.runs.recording import Skipped
from schemas.columns import Dataset
from schemas.registry import BY_PRODUCT, PULLED

GROUP = "pull"
_MADE_OF = {"revenue": ("contacts",)}
"""By dataset, the datasets that it is derived from if the account does not serve it."""


def _pulled(dataset: Dataset, deps: tuple[str, ...] = ()) -> dg.AssetsDefinition:
    """Build an asset that makes one dataset's snapshot; `warehouse` publishes it later."""
    options = ReadOptions(skip_unserved=dataset.name in BY_PRODUCT)

    @dg.asset(
        name=dataset.name,
        deps=[ACCOUNT, *deps],
        group_name=GROUP,
        pool=PULL_POOL,
        kinds={"parquet"},
        description=f"{dataset.doc} Source: {dataset.page}. A snapshot, which `warehouse` publishes.",
        metadata={"dagster/column_schema": column_schema(dataset, pulled=True)},
    )
    def pull_one(context: dg.AssetExecutionContext, trackly: Trackly) -> dg.MaterializeResult[None]:
        started, version = time.monotonic(), dg.DataVersion(context.run.run_id)
        with engine(trackly) as settings:
            try:
                snapshot = snapshot_dataset(settings, dataset.name, context.run.run_id, options=options)
            except Skipped as skip:
                return dg.MaterializeResult(metadata=of_unserved(skip.reason), data_version=version)
        return dg.MaterializeResult(
            metadata=of_snapshot(dataset, snapshot, time.monotonic() - started), data_version=version
        )

    return pull_one


DATASETS = {name: _pulled(dataset, _MADE_OF.get(name, ())) for name, dataset in PULLED.items()}
"""Assets by dataset."""


@dg.asset(
    deps=list(DATASETS.values()),
    group_name=GROUP,
    pool=WAREHOUSE_POOL,
    kinds={"duckdb"},
    description="warehouse.duckdb with the newest snapshot of every dataset, put in place by one swap.",
)
def warehouse(context: dg.AssetExecutionContext, trackly: Trackly) -> dg.MaterializeResult[None]:
    """Publish."""
    started = time.monotonic()
    with engine(trackly) as settings:
        published = publish_latest(settings, context.run.run_id)
        publish_missing_imports(settings)
    return dg.MaterializeResult(
        metadata=of_warehouse(published, settings.warehouse, time.monotonic() - started),
        data_version=dg.DataVersion(context.run.run_id),
    )


PULLED_ASSETS = [*DATASETS.values(), warehouse]
