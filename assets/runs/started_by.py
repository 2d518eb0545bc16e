"""Who started a run: a person, a schedule, a sensor or an automation; or the command line; and what was asked for.

What must not go in: what a run then does.
"""

import dagster as dg

from schemas.registry import PULLED

_BY_ITSELF = frozenset(
    {
        "dagster/schedule_name",
        "dagster/sensor_name",
        "dagster/auto_materialize",
        "dagster/from_automation_condition",
    }
)
"""Tags that Dagster puts on runs that no person started; a retry of such a run keeps them."""

PULLS = {"pull": "pull all", "sync": "pull all"}
"""By job, the pull that it is to do, in the words of the command line."""

COMMAND_LINE = "trackly/command_line"
"""The tag of runs that `run_records` has written; its value is what was done."""


def attended(run: dg.DagsterRun) -> bool:
    """Whether a person started the run."""
    return _BY_ITSELF.isdisjoint(run.tags)


def by_command_line(run: dg.DagsterRun) -> bool:
    """Whether the run was the command line's, and is only on record here."""
    return COMMAND_LINE in run.tags


def asked(run: dg.DagsterRun) -> str:
    """The pull that a run is to do, as the command line names it (`pull all`); "" where it is to pull nothing."""
    if run.asset_selection:
        chosen = {key.to_user_string() for key in run.asset_selection}
    else:
        chosen = set(PULLED) if run.job_name in PULLS else set()
    if run.step_keys_to_execute:
        chosen &= set(run.step_keys_to_execute)
    names = [name for name in PULLED if name in chosen]
    return f"pull {'all' if len(names) == len(PULLED) else ' '.join(names)}" if names else ""
