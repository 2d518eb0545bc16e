"""Who started a run: a person, or a schedule, a sensor or an automation.

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


def attended(run: dg.DagsterRun) -> bool:
    """Whether a person started the run."""
    return _BY_ITSELF.isdisjoint(run.tags)
