"""Everything that Dagster loads, wired in one function.

What must not go in: what an asset does (`graph`), and when it runs (`schedules`, `sensors`).
"""

from collections.abc import Mapping

import dagster as dg

from assets.checks import CHECKS
from assets.graph.analysis import ANALYSIS_ASSETS, VIEWS
from assets.graph.attributes import described
from assets.graph.external import OUTSIDE
from assets.graph.months import build_months
from assets.graph.pulled import PULLED_ASSETS
from assets.graph.pushed import PUSHED_ASSETS
from assets.graph.webhook_events import RECEIVED_ASSETS, events_arrive
from assets.jobs import JOBS
from assets.records.views import with_hooks
from assets.resources import Trackly
from assets.schedules import build_schedules
from assets.sensors import build_sensors
from pipelines.errors import SettingsError
from pipelines.settings import Settings, load_settings
from pipelines.storage import be_private


def build_defs(
    *,
    resource_overrides: Mapping[str, object] | None = None,
    own_location: bool = True,
    automation: bool = True,
) -> dg.Definitions:
    """Wire assets, checks, jobs, schedules and resources.

    Args:
        resource_overrides: resources in place of the usual ones, by name; tests pass theirs.
        own_location: whether the code location has no other code, so that we may set its executor.
        automation: whether to include the schedules and the sensor.
    """
    settings = _settings()
    made = [*PULLED_ASSETS, *RECEIVED_ASSETS, *PUSHED_ASSETS, build_months(settings), *ANALYSIS_ASSETS]
    return dg.Definitions(
        assets=described([*OUTSIDE, *map(with_hooks, made), *VIEWS], settings),
        asset_checks=[*CHECKS, events_arrive],
        jobs=JOBS,
        schedules=build_schedules(settings) if automation else [],
        sensors=build_sensors(settings) if automation else [],
        resources={"trackly": Trackly(), **(resource_overrides or {})},
        # also for assets that are materialized outside the jobs
        executor=dg.in_process_executor if own_location else None,
    )


def _settings() -> Settings:
    """Return the settings; defaults if one is malformed, since the error of a step is easier to find."""
    try:
        return load_settings()
    except SettingsError:
        return Settings.model_construct()


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions that workspace.yaml loads."""
    be_private()
    return build_defs()
