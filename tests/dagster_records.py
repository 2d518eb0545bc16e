"""Dagster's records of a data directory, and what they hold by asset; a history of sends by month."""

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_spec import AssetCheckKey
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from assets.definitions import build_defs
from assets.records.report import report_pending
from assets.resources import GivenTrackly
from assets.runs.in_process import QUIET
from pipelines.run_records.unreported import Notice, leave
from pipelines.sandbox import Account, Server
from pipelines.settings import Settings

READ = ["contacts", "lists", "revenue"]


class Records:
    """Dagster's records of a data directory, and what they hold by asset."""

    def __init__(
        self, instance: dg.DagsterInstance, settings: Settings, account: Account, server: Server
    ) -> None:
        self.instance, self.settings, self.account, self.server = instance, settings, account, server

    def made(self, asset: str) -> list[dg.AssetMaterialization]:
        """Newest first."""
        found = self.instance.fetch_materializations(dg.AssetKey(asset), limit=100).records
        return [record.asset_materialization for record in found if record.asset_materialization]

    def figure(self, asset: str, name: str) -> Any:
        return self.made(asset)[0].metadata[name].value

    def checks(self, asset: str, check: str) -> list[str]:
        key = AssetCheckKey(dg.AssetKey(asset), check)
        found = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=9)
        return [record.status.value for record in found]

    def report(self, run: str) -> int:
        leave(self.settings.data_dir, Notice(run, "2020-01-01T00:00:00+00:00"))
        return report_pending(self.instance, self.settings)

    def run(self, *assets: str, job: str = "") -> dg.ExecuteInProcessResult:
        """Have Dagster make assets, by one of our jobs or, as from their pages, by none."""
        defs = self._defs
        found = defs.resolve_job_def(job) if job else defs.resolve_implicit_global_asset_job_def()
        return found.execute_in_process(
            run_config=QUIET,
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            raise_on_error=False,
        )

    @cached_property
    def _defs(self) -> dg.Definitions:
        return build_defs(resource_overrides={"trackly": GivenTrackly(self.settings)})

    def stale(self) -> set[str]:
        """Assets that Dagster calls stale; those that were never made are not."""
        graph = _graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        return {
            key.to_user_string()
            for key in graph.executable_asset_keys
            if not graph.get(key).is_partitioned and resolver.get_status(key).value == "STALE"
        }


@cache
def _graph() -> AssetGraph:
    return build_defs().resolve_asset_graph()


def begin_run(
    instance: dg.DagsterInstance, job: str, asset: str, status: dg.DagsterRunStatus
) -> dg.DagsterRun:
    """A run of a job of ours that makes one asset: Dagster stores an event for each that it is to make or check."""
    found = build_defs().resolve_job_def(job)
    one = found.get_subset(asset_selection={dg.AssetKey(asset)}, asset_check_selection=set())
    return instance.create_run_for_job(one, status=status)


def write_sends(account: Account, folder: Path, months: dict[str, int]) -> None:
    contacts = [row for row in account.contacts() if row["active"]]
    rows = [
        {
            "id": f"{month}-{number}",
            "to_number": contacts[number]["phone_number"],
            "list_id": contacts[number]["list_id"],
            "timestamp": f"{month}-03T10:00:00Z",
        }
        for month, many in months.items()
        for number in range(many)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sends.ndjson").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
