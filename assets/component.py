"""Trackly Sync as a Dagster component, for a project that has other assets too.

In that project's `defs/trackly_sync/defs.yaml`: `type: assets.component.TracklySync`. What must not go in: settings
of the account; they always come from the environment.
"""

import dagster as dg

from assets.definitions import build_defs


class TracklySync(dg.Component, dg.Model, dg.Resolvable):
    """Pulls of a Trackly account, pushes of history, the months of a backfill, and their checks.

    Attributes:
        automation: whether to include the schedules and the sensor; they are off until TRACKLY_SCHEDULES is on.
    """

    automation: bool = True

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions without an executor: the project chooses one, and our jobs name theirs."""
        del context
        return build_defs(own_location=False, automation=self.automation)
