"""Trackly Sync as a component, for a Dagster project that has other assets too.

In that project's `defs/trackly_sync/defs.yaml`: `type: assets.component.TracklySync`. What must not go in: settings
of the account; they come from the environment, whoever loads it.
"""

import dagster as dg

from assets.definitions import build_defs


class TracklySync(dg.Component, dg.Model, dg.Resolvable):
    """Pulls of a Trackly account, pushes of history, the months of a backfill, and their checks.

    Attributes:
        automation: whether the schedules and the sensor come along; they are off until TRACKLY_SCHEDULES is on.
    """

    automation: bool = True

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions, without an executor: that is the project's to choose, and our jobs name theirs."""
        del context
        return build_defs(own_location=False, automation=self.automation)
