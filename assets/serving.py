"""Dagster's pages and daemon for a deployment: `python -m assets.serving PORT`, in the folder of workspace.yaml.

Tidies up after a process that died, then becomes `dagster dev`, which keeps the pages, the daemon and one code
server together. What must not go in: where DAGSTER_HOME is and what its dagster.yaml says (`trackly-sync ui`).
"""

import os
import sys
from pathlib import Path

import dagster as dg

from pipelines.settings import Settings, load_settings

_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def settle_stale_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed whose process is gone: they would hold their place in the queue for ever.

    Only for the time before the daemon starts, when nothing else starts runs. Queued runs are left to the daemon.

    Returns:
        Their ids.
    """
    settled = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        if not any(_alive(pid) for pid in _pids(instance, run.run_id)):
            instance.report_run_failed(
                run,
                "The process of this run is gone: the machine or Dagster was stopped. Nothing is half-done; run it "
                "again.",
            )
            settled.append(run.run_id)
    return settled


def _pids(instance: dg.DagsterInstance, run_id: str) -> list[int]:
    """The processes that a run says it was in."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    found = [
        entry.dagster_event.engine_event_data.metadata.get("pid") for entry in entries if entry.dagster_event
    ]
    return [int(str(value.value)) for value in found if value]


def _alive(pid: int) -> bool:
    """Whether this is a process of Python; another may have got the number meanwhile."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # it is another user's
    command = Path(f"/proc/{pid}/cmdline")
    return b"python" in command.read_bytes() if command.exists() else True


def main(port: str) -> None:
    """Settle, then become `dagster dev`."""
    with dg.DagsterInstance.get() as instance:
        for run in settle_stale_runs(instance):
            print(f"Run {run} was under way when Dagster was stopped; marked as failed.", flush=True)  # noqa: T201
    os.execv(sys.executable, [sys.executable, *_dagster(load_settings(), port)])  # noqa: S606 - our own interpreter


def _dagster(settings: Settings, port: str) -> list[str]:
    """Arguments for the interpreter; it logs warnings only: sensors tell each half minute that nothing is new."""
    # its successor, `dg dev`, is for projects of another layout
    quiet = "ignore:Function `dev_command` is superseded"
    log = ["--log-level", settings.log_level or "warning"]
    if settings.log_format == "json":
        log += ["--log-format", "json"]
    return ["-W", quiet, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", port, *log]


if __name__ == "__main__":
    main(*sys.argv[1:])
