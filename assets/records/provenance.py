"""Of which version a reported materialization is, and which versions of others it was made from.

Dagster calls an asset stale by these tags. Its own runs write them, so what the command line did has to carry them
too. A version is the run's id, as in `assets.graph`: each run may have made something else of the same account. What
must not go in: what is reported, and when.
"""

from collections.abc import Collection
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.data_version import (  # none of these is public; the locks hold the version
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
    """A materialization with its version and those of its inputs.

    Args:
        instance: Dagster's records.
        graph: which asset is made of which.
        event: the materialization.
        version: of what it made.
        began: since when its inputs were read, seconds since 1970: what was made of them later is not in it.
        beside: assets that the same run has made, which are on record already.
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
    """The versions that a materialization was made from, by tag."""
    prefix = get_input_data_version_tag(dg.AssetKey("")).rstrip("/")
    return {tag: value for tag, value in (event.tags or {}).items() if tag.startswith(prefix)}
