"""Data versions of reported materializations, and the versions of their inputs.

Dagster decides by these tags whether an asset is stale. Dagster's own runs write them, so runs of the command line
need them too. A version is the run's id, as in `assets.graph`, since each run may read different data from the same
account. What must not go in: what is reported, and when.
"""

from collections.abc import Collection
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.data_version import (  # not public; the lock files pin the version
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)


def versioned(
    instance: dg.DagsterInstance,
    graph: BaseAssetGraph[Any],
    event: dg.AssetMaterialization,
    version: str,
    began: float,
    beside: Collection[dg.AssetKey] = (),
) -> dg.AssetMaterialization:
    """Return a materialization with its version and the versions of its inputs.

    Args:
        instance: Dagster's records.
        graph: the inputs of each asset.
        event: the materialization.
        version: its data version.
        began: when its inputs began to be read, seconds since 1970; later versions of them are not in it.
        beside: assets that the same run has made and that are recorded already.
    """
    node = graph.get(event.asset_key)
    tags = {
        DATA_VERSION_TAG: version,
        DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
        CODE_VERSION_TAG: node.code_version or version,
    }
    for key in node.parent_keys:
        before = None if key in beside else began
        found = instance.fetch_materializations(
            dg.AssetRecordsFilter(key, before_timestamp=before), limit=1
        ).records
        last = found[0] if found else None
        known = (last.event_log_entry.tags or {}) if last else {}
        tags[get_input_data_version_tag(key)] = known.get(DATA_VERSION_TAG, DEFAULT_DATA_VERSION.value)
        tags[get_input_event_pointer_tag(key)] = str(last.storage_id) if last else NULL_EVENT_POINTER
    return dg.AssetMaterialization(
        event.asset_key,
        description=event.description,
        metadata=event.metadata,
        partition=event.partition,
        tags=tags,
    )


def inputs_of(event: dg.AssetMaterialization) -> dict[str, str]:
    """Return the versions of a materialization's inputs, by tag."""
    prefix = get_input_data_version_tag(dg.AssetKey("")).rstrip("/")
    return {tag: value for tag, value in (event.tags or {}).items() if tag.startswith(prefix)}
