"""Who started a run: a person, a schedule, a sensor or an automation; or the command line, without Dagster.

What must not go in: what a run then does.
"""

import dagster as dg

_BY_ITSELF = frozenset(
    {
        "dagster/schedule_name",
        "dagster/sensor_name",
        "dagster/auto_materialize",
        "dagster/from_automation_condition",
    }
)
"""Tags that Dagster puts on runs that no person started; a retry of such a run keeps them."""

COMMAND_LINE = "trackly/command_line"
"""The tag of runs that `run_records` has written; its value is what was done."""


def attended(run: dg.DagsterRun) -> bool:
    """Whether a person started the run."""
    return _BY_ITSELF.isdisjoint(run.tags)


def by_command_line(run: dg.DagsterRun) -> bool:
    """Whether the run was the command line's, and is only on record here."""
    return COMMAND_LINE in run.tags
