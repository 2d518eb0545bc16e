"""Running a job in this process, for the command line: `python -m assets.running JOB`.

Settings come from the environment, records go to DAGSTER_HOME where it is set. Exit codes are those of
`trackly-sync`.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from assets.definitions import build_defs
from pipelines.errors import TracklySyncError

FAILED = 1
STOPPED = 130


def run_job(name: str, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Run a job to its end, also where it fails."""
    job = build_defs().resolve_job_def(name)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return job.execute_in_process(run_config=quiet, instance=instance, raise_on_error=False)


def main(name: str) -> int:
    """Run a job and say how it went, one line per step; the exit code."""
    print(f"Running the Dagster job {name} ...", flush=True)  # noqa: T201 - its output
    with _instance() as instance:
        try:
            result = run_job(name, instance)
        except KeyboardInterrupt:
            return STOPPED
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        numbers = {key: value.value for key, value in materialization.metadata.items()}
        rows = numbers.get("rows")
        shown = f"{rows:>9,} rows" if isinstance(rows, int) else f"{'':>14}"
        extra = ", ".join(
            f"{key} {numbers[key]}" for key in ("consistency", "accepted", "agrees") if key in numbers
        )
        print(f"  {materialization.asset_key.to_user_string():<20}{shown}  {extra}", flush=True)  # noqa: T201 - its output
    if result.success:
        return 0
    return _tell_failures(result)


def _tell_failures(result: dg.ExecuteInProcessResult) -> int:
    code = FAILED
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            failure = data.user_failure_data
            told = failure.description if failure else (data.error.message if data.error else "failed")
            print(f"Error: {event.step_key}: {told}", file=sys.stderr)  # noqa: T201 - its output
            exit_code = failure.metadata.get("exit_code") if failure else None
            code = int(str(exit_code.value)) if exit_code is not None else code
    return code


@contextmanager
def _instance() -> Iterator[dg.DagsterInstance]:
    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get() as instance:
            yield instance
    else:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance


if __name__ == "__main__":
    logging.getLogger("dagster").setLevel(logging.WARNING)
    try:
        sys.exit(main(*sys.argv[1:]))
    except TracklySyncError as error:
        sys.exit(f"Error: {error}")
