"""Trackly Sync beside other assets, as a component of a Dagster project."""

import tomllib
from pathlib import Path

import dagster as dg

from assets.component import TracklySync
from schemas.registry import PULLED


@dg.asset(deps=["warehouse"])
def churn_model() -> None:
    """Another team's."""


def test_a_project_loads_it_beside_its_own_assets() -> None:
    """Its own executor and assets stay; an asset of its own may depend on ours; without automation nothing ticks."""
    context = dg.ComponentLoadContext.for_test() if hasattr(dg.ComponentLoadContext, "for_test") else None
    ours = TracklySync(automation=False).build_defs(context)  # type: ignore[arg-type]
    theirs = dg.Definitions(assets=[churn_model], executor=dg.multiprocess_executor)
    both = dg.Definitions.merge(ours, theirs)
    graph = both.resolve_asset_graph()
    assert {parent.to_user_string() for parent in graph.get(dg.AssetKey("churn_model")).parent_keys} == {
        "warehouse"
    }
    assert {dg.AssetKey(name) for name in PULLED} <= graph.get_all_asset_keys()
    assert both.executor is dg.multiprocess_executor
    assert both.resolve_job_def("pull").executor_def.name == "in_process"
    assert not ours.schedules
    assert not ours.sensors
    assert TracklySync().build_defs(context).schedules  # type: ignore[arg-type]


def test_the_project_file_names_what_dg_loads() -> None:
    """`dg check defs` loads the definitions, and other projects find the component by its entry point."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["tool"]["dg"]["project"]["code_location_target_module"] == "assets.definitions"
    (module,) = project["project"]["entry-points"]["dagster_dg_cli.registry_modules"].values()
    assert module == TracklySync.__module__
