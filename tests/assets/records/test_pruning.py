"""Dagster's records of old runs go; what its pages go by stays."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation

from assets.records.events import in_run
from assets.records.pruning import prune_dagster
from pipelines.settings import load_settings


@dg.asset
def made() -> None:
    """Made by some runs."""


def test_old_runs_go_except_the_last_of_an_asset_a_months_and_one_under_way(tmp_path: Path) -> None:
    month = {"dagster/partition": "2024-03"}
    now = load_settings(keep_records_days=1e-9)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        first, second = (dg.materialize([made], instance=instance).dagster_run.run_id for _ in range(2))
        empty = instance.create_run_for_job(
            dg.GraphDefinition("empty").to_job(), status=dg.DagsterRunStatus.SUCCESS
        )
        of_month = instance.create_run_for_job(
            dg.GraphDefinition("month").to_job(), status=dg.DagsterRunStatus.SUCCESS, tags=month
        )
        waits = instance.create_run_for_job(dg.GraphDefinition("waits").to_job())
        assert prune_dagster(instance, load_settings()) == 0
        assert prune_dagster(instance, load_settings(keep_records_days=0)) == 0
        assert (tmp_path / "history" / "runs" / f"{first}.db").exists()
        assert prune_dagster(instance, now) == 2
        left = {run.run_id for run in instance.get_runs()}
        assert left == {second, of_month.run_id, waits.run_id}
        assert empty.run_id not in left
        assert not (tmp_path / "history" / "runs" / f"{first}.db").exists()
        event = instance.get_latest_materialization_event(dg.AssetKey("made"))
        assert event
        assert event.run_id == second


def _of_months(instance: dg.DagsterInstance) -> list[str]:
    """Reported without a run, as other versions did: two months, the first of them twice; each with a check."""
    for month in ("2024-03", "2024-03", "2024-04"):
        instance.report_runless_asset_event(
            dg.AssetMaterialization("months", partition=month, tags={"a": "b"})
        )
        instance.report_runless_asset_event(
            AssetCheckEvaluation(dg.AssetKey("months"), "complete", True, metadata={})
        )
        instance.report_runless_asset_event(dg.AssetObservation("months"))
    instance.report_runless_asset_event(dg.AssetMaterialization("lists"))
    return ["2024-03", "2024-04"]


@pytest.mark.parametrize("place", ["sqlite", "postgresql"])
def test_events_without_a_run_go_except_the_last_of_each_asset_and_month(
    place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Of a check the last result stays; what is young stays; a month's last run stays whatever other months have."""
    config: dict[str, Any] = {}
    if place == "postgresql":
        url = request.getfixturevalue("database").replace("postgresql://", "postgresql+psycopg2://")
        config["storage"] = {"postgres": {"postgres_url": url}}
    (tmp_path / "dagster.yaml").write_text(json.dumps(config))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        months = _of_months(instance)
        of_one, of_another = (
            instance.create_run_for_job(
                dg.GraphDefinition(name).to_job(), status=dg.DagsterRunStatus.SUCCESS
            ).run_id
            for name in ("one", "another")
        )
        for run, month in ((of_one, "2024-05"), (of_another, "2024-06")):
            in_run(instance, run, "push")(dg.AssetMaterialization("months", partition=month))
        assert prune_dagster(instance, load_settings()) == 0
        assert prune_dagster(instance, load_settings(keep_records_days=1e-9)) == 1 + 2 + 2
        made = instance.fetch_materializations(dg.AssetKey("months"), limit=99).records
        assert sorted(str(one.partition_key) for one in made) == [*months, "2024-05", "2024-06"]
        assert len(instance.fetch_observations(dg.AssetKey("months"), limit=99).records) == 1
        assert instance.get_latest_materialization_event(dg.AssetKey("lists"))
        checks = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("months"), "complete"), limit=99
        )
        assert len(checks) == 1
        assert {run.run_id for run in instance.get_runs()} == {of_one, of_another}
        assert prune_dagster(instance, load_settings(keep_records_days=1e-9)) == 0
