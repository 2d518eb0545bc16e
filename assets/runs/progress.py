"""Progress of a run without Dagster's types: steps for people, and errors of our own tree.

What must not go in: running anything (`in_process`), and printing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from pipelines import errors

_INTERRUPTS = ("KeyboardInterrupt", dg.DagsterExecutionInterruptedError.__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """An event of a run, for people.

    Attributes:
        name: the asset, or "asset: check".
        state: started, done, skipped, failed; or, for a check that did not pass, warned or broken.
        metadata: figures of a materialization, as plain values.
        text: a message.
    """

    name: str
    state: str
    metadata: Mapping[str, Any]
    text: str = ""


def step_of(entry: dg.EventLogEntry) -> Step | None:
    """Return the step for a Dagster event; None for most events."""
    event = entry.dagster_event
    if event is None or event.step_key is None:
        return None
    match event.event_type:
        case dg.DagsterEventType.STEP_START:
            return Step(event.step_key, "started", {})
        case dg.DagsterEventType.STEP_SKIPPED:
            return Step(event.step_key, "skipped", {})
        case dg.DagsterEventType.STEP_FAILURE:
            return Step(event.step_key, "failed", {}, event.message or "")
        case dg.DagsterEventType.ASSET_MATERIALIZATION:
            made = event.step_materialization_data.materialization
            return Step(made.asset_key.to_user_string(), "done", _plain(made.metadata))
        case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            return _of_check(event.asset_check_evaluation_data)
    return None


def _of_check(check: dg.AssetCheckEvaluation) -> Step | None:
    if check.passed:
        return None
    return Step(
        f"{check.asset_key.to_user_string()}: {check.check_name}",
        "warned" if check.severity == dg.AssetCheckSeverity.WARN else "broken",
        _plain(check.metadata),
        check.description or "did not pass",
    )


def _plain(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, Any]:
    return {name: value.value for name, value in metadata.items()}


def first_error(result: dg.ExecuteInProcessResult) -> BaseException:
    """Return the first failure of a run: our error, KeyboardInterrupt, or RuntimeError for an unexpected error."""
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        data = event.step_failure_data
        if data.user_failure_data:  # made by `engine_calls.engine`
            found = _plain(data.user_failure_data.metadata)
            kind: type[errors.TracklySyncError] = getattr(errors, str(found["kind"]))
            return kind(str(found["problem"]), str(found["remedy"]).removeprefix("-"))
        if data.error and data.error.cls_name in _INTERRUPTS:
            return KeyboardInterrupt()
        message = data.error.message.strip() if data.error else "failed"
        if data.error and data.error.cls_name == "DagsterAssetCheckFailedError":
            return errors.DataError(
                message, "Nothing that comes after it was run; the check's page has the figures."
            )
        return RuntimeError(f"{event.step_key}: {message}")
    return RuntimeError("The run failed before its first step.")
