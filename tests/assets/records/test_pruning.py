"""Dagster's records of old runs go; what its pages go by stays."""

from pathlib import Path

import dagster as dg

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
