"""Attributes of every asset beyond its columns: owner, tags, version, table, code, and freshness.

They follow from the asset's group and dataset, so a new asset gets them without further code. What must not go in:
figures of a run (`inspection.metadata`).
"""

import sys
import warnings
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import dagster as dg

from assets.graph.analysis import mart_file, mart_sql
from pipelines.privacy import PERSONAL
from pipelines.settings import Settings
from schemas.columns import PHONE, Dataset
from schemas.derived.catalog import tables
from schemas.registry import DERIVED, PULLED, PUSHED

_OWNERS = {
    "sources": "team:data-engineering",
    "pull": "team:data-engineering",
    "webhooks": "team:operations",
    "push": "team:operations",
    "backfill": "team:operations",
    "analysis": "team:analytics",
}
_RELEASE = version("trackly-sync")
_PROMISED = ("pull", "webhooks")
"""Groups whose data must not be older than TRACKLY_ALERT_STALE_HOURS."""

_DAILY = ("push", "analysis")
"""Groups that daily_sync updates, if schedules are on."""

_CATALOG, _MART = "warehouse", "marts_"
_TABLES = {
    **{table.name: f"{_CATALOG}.{table.schema}.{table.name}" for table in tables() if table.schema == "main"},
    **{
        f"marts_{table.name}": f"{_CATALOG}.marts.{table.name}"
        for table in tables()
        if table.schema == "marts"
    },
    **{f"imported_{name}": f"{_CATALOG}.imports.records" for name in (*PUSHED, "months")},
    "reconciliation": f"{_CATALOG}.imports.differences",
}
_DATASETS: dict[str, Dataset] = {
    **PULLED,
    **{f"{kind}_{name}": dataset for kind in ("history", "imported") for name, dataset in PUSHED.items()},
}


def described(
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec], settings: Settings
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return the assets, each with all of these attributes.

    Args:
        assets: in any order.
        settings: how old data may become.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # code references; the lock files pin the version
        made = [asset for asset in assets if isinstance(asset, dg.AssetsDefinition)]
        linked = [a for a in dg.with_source_code_references(made) if isinstance(a, dg.AssetsDefinition)]
        return [
            *(asset.map_asset_specs(lambda spec: _spec(spec, settings)) for asset in linked),
            # no step makes these assets, so Dagster does not know their age
            *(
                _spec(a, settings).replace_attributes(freshness_policy=None)
                for a in assets
                if isinstance(a, dg.AssetSpec)
            ),
        ]


def _spec(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    name, group = spec.key.to_user_string(), spec.group_name or ""
    dataset = _DATASETS.get(name)
    table = {"dagster/table_name": _TABLES[name]} if name in _TABLES else {}
    tags = {"trackly/dataset": dataset.name, "trackly/personal_data": _personal(dataset)} if dataset else {}
    return spec.replace_attributes(
        owners=[_OWNERS[group]],
        tags={**spec.tags, **tags},
        code_version=_version(name, dataset) if group != "sources" else None,
        metadata={**spec.metadata, **table, **_declaration(spec, dataset)},
        freshness_policy=_promise(group, settings),
    )


def _personal(dataset: Dataset) -> str:
    numbered = any(PHONE in field.column.checks for field in dataset.fields)
    return "yes" if numbered or dataset.name in PERSONAL else "no"


def _version(name: str, dataset: Dataset | None) -> str:
    """Return a code version that changes with the release and with the asset's columns or SQL."""
    made_by = ""
    if dataset:
        made_by = ", ".join(f"{field.name} {field.kind}" for field in dataset.fields)
    elif name.startswith(_MART):
        made_by = mart_sql(name.removeprefix(_MART))
    digest = f"+{sha256(made_by.encode()).hexdigest()[:8]}" if made_by else ""
    return f"{_RELEASE}{digest}"


def _declaration(spec: dg.AssetSpec, dataset: Dataset | None) -> dict[str, dg.CodeReferencesMetadataValue]:
    """Return references to the asset's code, and to the file with its declaration or SQL."""
    known = spec.metadata.get("dagster/code_references")
    code = list(known.code_references) if isinstance(known, dg.CodeReferencesMetadataValue) else []
    name = spec.key.to_user_string()
    declared = dataset or DERIVED.get(name)
    file = None
    if declared:
        file = getattr(sys.modules[declared.row.__module__], "__file__", None)
    elif name.startswith(_MART):
        file = str(mart_file(name.removeprefix(_MART)))
    if file:
        code.append(dg.LocalFileCodeReference(file_path=file, line_number=1, label=Path(file).name))
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=code)} if code else {}


def _promise(group: str, settings: Settings) -> dg.FreshnessPolicy | None:
    """Return the freshness policy: Dagster warns when data is older than promised, and fails it at twice that age."""
    if group not in _PROMISED and not (group in _DAILY and settings.schedules):
        return None
    promise = timedelta(hours=max(settings.alert_stale_hours, 0 if group in _PROMISED else 24))
    return dg.FreshnessPolicy.time_window(warn_window=promise, fail_window=2 * promise)
