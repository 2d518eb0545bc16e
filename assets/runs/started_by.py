"""The starter of a run (a person, a schedule, a sensor, an automation, or the command line), and its command.

What must not go in: the work of a run.
"""

from collections.abc import Sequence

import dagster as dg

from schemas.registry import PULLED, PUSHED

_BY_ITSELF = frozenset(
    {
        "dagster/schedule_name",
        "dagster/sensor_name",
        "dagster/auto_materialize",
        "dagster/from_automation_condition",
    }
)
"""Tags that Dagster puts on runs that no person started; a retry of such a run keeps them."""

ASKED = {"pull": "pull all", "push": "push all", "sync": "pull all, push all"}
"""By job, its command, as the command line names it."""

_STEPS = {**dict.fromkeys(PULLED, "pull"), **{f"imported_{name}": "push" for name in PUSHED}}
"""The command that each step belongs to."""

COMMAND_LINE = "trackly/command_line"
"""The tag of runs that `run_records` has written; its value is the command."""


def attended(run: dg.DagsterRun) -> bool:
    """Whether a person started the run."""
    return _BY_ITSELF.isdisjoint(run.tags)


def by_command_line(run: dg.DagsterRun) -> bool:
    """Whether the run belongs to the command line, and is only recorded in Dagster."""
    return COMMAND_LINE in run.tags


def asked(run: dg.DagsterRun) -> str:
    """Return the commands of a run as the command line names them, such as `pull all, push all`; "" for neither."""
    steps = set(run.step_keys_to_execute or _STEPS)
    if run.asset_selection:
        steps &= {key.to_user_string() for key in run.asset_selection}
    else:
        steps &= {step for step, verb in _STEPS.items() if verb in ASKED.get(run.job_name, "")}
    pulled = [name for name in PULLED if name in steps]
    pushed = [name for name in PUSHED if f"imported_{name}" in steps]
    found = [_named("pull", pulled, len(PULLED)), _named("push", pushed, len(PUSHED))]
    return ", ".join(filter(None, found))


def _named(verb: str, names: Sequence[str], every: int) -> str:
    return f"{verb} {'all' if len(names) == every else ' '.join(names)}" if names else ""
