"""Runs a job in this process, for the command line: `python -m assets.runs.in_process JOB`.

`run_job` is for callers in Python. As a program, settings come from the environment, Dagster's records go to
DAGSTER_HOME where it is set, and exit codes are those of `trackly-sync`. What must not go in: the summary, which the
command line shows.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from textwrap import shorten
from typing import Any
from uuid import uuid4

import dagster as dg

from assets.definitions import build_defs
from assets.records.run_records import origin_of
from assets.resources import GivenTrackly, run_goes_on
from assets.runs.engine_calls import show_stacks
from assets.runs.failed_steps import record_failed_steps
from assets.runs.progress import Step, first_error, step_of
from assets.runs.started_by import ASKED
from pipelines import errors
from pipelines.process.exit_codes import DONE, FAILED, LEFT_OUT, STOPPED
from pipelines.push.left_out_limit import is_over_limit
from pipelines.settings import Settings, load_settings
from pipelines.settings.misspelt import refuse_misspelt
from pipelines.storage import be_private
from pipelines.text.humanize import form
from pipelines.text.sanitize import plain
from schemas.registry import PULLED, PUSHED

TWICE = "imported_revenue: nothing_twice"

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Configuration of a run whose caller shows the steps, without Dagster's log."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of a run that did not fail.

    Attributes:
        run: its id, the same as in sync.runs.
        assets: figures of each materialized asset, as plain values.
        checks: the checks that did not pass.
    """

    run: str
    assets: dict[str, Mapping[str, Any]]
    checks: list[Step]


def run_job(
    name: str,
    settings: Settings,
    *,
    instance: dg.DagsterInstance | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> JobResult:
    """Run a job to its end in this process.

    Args:
        name: pull, push or sync.
        settings: the account and the data directory.
        instance: for Dagster's records; without one, no records are kept.
        on_step: called for each step.

    Raises:
        TracklySyncError: the first error of a step.
        DataError: a blocking check did not pass.
        RuntimeError: a step failed with an unexpected error.
    """
    job = build_defs(resource_overrides={"trackly": GivenTrackly(settings)}).resolve_job_def(name)
    steps: list[Step] = []

    def note(entry: dg.EventLogEntry) -> None:
        step = step_of(entry)
        if step:
            steps.append(step)
            on_step(step)

    with _given_or_ephemeral(instance) as records, _under_its_job(records, name):
        run = str(uuid4())
        records.add_event_listener(run, note)
        try:
            with run_goes_on(run, ASKED.get(name, "")):
                result = job.execute_in_process(
                    run_config={**(job.run_config or {}), **QUIET},
                    instance=records,
                    run_id=run,
                    raise_on_error=False,
                )
            if not result.success:
                record_failed_steps(records, result.dagster_run, settings, by_person=True)
        except dg.DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None
        finally:
            show_stacks()
    if not result.success:
        raise first_error(result)
    return JobResult(
        run=run,
        assets={step.name: step.metadata for step in steps if step.state == "done"},
        checks=[step for step in steps if step.state in ("warned", "broken")],
    )


@contextmanager
def _under_its_job(instance: dg.DagsterInstance, name: str) -> Iterator[None]:
    """Make the instance record the job and code location of a run; otherwise no page of a job shows it."""
    create = partial(instance.create_run_for_job, remote_job_origin=origin_of(name))
    instance.create_run_for_job = create  # type: ignore[method-assign] # execute_in_process takes no origin
    try:
        yield
    finally:
        del instance.create_run_for_job


def main(name: str, *, run: Callable[..., JobResult] = run_job) -> int:
    """Run a job and show one line per step; return the exit code."""
    be_private()
    print(f"Running the Dagster job {name} ...", flush=True)  # noqa: T201 - its output
    try:
        settings = load_settings()
        refuse_misspelt()
        with _instance_of_home() as instance:
            result = run(name, settings, instance=instance, on_step=_say)
    except errors.TracklySyncError as error:
        print(f"Error: {plain(str(error))}", file=sys.stderr)  # noqa: T201 - its output
        return error.exit_code
    except RuntimeError as error:
        print(f"Error: {plain(str(error))}", file=sys.stderr)  # noqa: T201 - its output
        return FAILED
    except KeyboardInterrupt:
        return STOPPED
    return _code(result, settings)


def _code(result: JobResult, settings: Settings) -> int:
    """Return the exit code of a run that did not fail."""
    broken = {check.name for check in result.checks if check.state == "broken"}
    if broken:  # revenue that is perhaps there twice is left for a person, as `trackly-sync push` does
        return LEFT_OUT if broken == {TWICE} else FAILED
    imports = [figures for asset in PUSHED if (figures := result.assets.get(f"imported_{asset}"))]
    names = ("input_rows_in", "input_left_out", "differs")
    rows, left_out, differing = (sum(figures[name] for figures in imports) for name in names)
    over = is_over_limit(rows, left_out, differing, settings.push_left_out_share)
    return LEFT_OUT if over else DONE


def _say(step: Step) -> None:
    figures = step.metadata
    match step.state:
        case "done":
            shown = [str(figures[name]) for name in ("consistency",) if name in figures]
            shown += [
                f"{name} {figures[name]:,}" for name in ("accepted", "left_out", "differs") if name in figures
            ]
            seconds = f"{figures['duration_seconds']:.1f} s"
            line = f"  {step.name:<20}{_count(figures):<20}  {seconds:>7}  {', '.join(shown)}"
        case "skipped" if step.name in PULLED:  # others are checks of missing assets
            line = f"  {step.name:<20} skipped"
        case "warned" | "broken":
            line = f"  {step.name:<28} ! {shorten(plain(step.text), 80, placeholder=' ...')}"
        case _:
            return
    print(line.rstrip(), flush=True)  # noqa: T201 - its output


def _count(figures: Mapping[str, Any]) -> str:
    """Return what a step counted, in its own unit; "" for steps that count nothing, such as the report."""
    for name, one, more in (
        ("contacts", "contact", "contacts"),  # a reconciliation compares contacts
        ("sent", "row", "rows"),
        ("dagster/row_count", "row", "rows"),
    ):
        if name in figures:
            return f"{figures[name]:>11,} {form(figures[name], one, more)}"
    return ""


@contextmanager
def _given_or_ephemeral(instance: dg.DagsterInstance | None) -> Iterator[dg.DagsterInstance]:
    if instance:
        yield instance
    else:
        with dg.DagsterInstance.ephemeral() as own:
            yield own


@contextmanager
def _instance_of_home() -> Iterator[dg.DagsterInstance | None]:
    if not os.environ.get("DAGSTER_HOME"):
        yield None
        return
    with dg.DagsterInstance.get() as instance:
        yield instance


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
