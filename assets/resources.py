"""Resources: thin typed shells that hand out plain objects of the engine.

Add one here when assets need something new from outside. What must not go in: the API key, which Dagster would
show; the engine reads it from the environment when a run begins.
"""

from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from pipelines.settings import Settings, load_settings


class Trackly(dg.ConfigurableResource[Settings]):
    """The settings of one account; what is not set here comes from the environment or .env when a run begins."""

    base_url: str | None = None
    data_dir: str | None = None

    def settings(self) -> Settings:
        """The settings of this run.

        Raises:
            SettingsError: one is malformed.
        """
        chosen: dict[str, object] = {}
        if self.base_url is not None:
            chosen["base_url"] = self.base_url
        if self.data_dir is not None:
            chosen["data_dir"] = Path(self.data_dir)
        return load_settings(**chosen)


@dataclass(frozen=True, slots=True)
class GivenTrackly:
    """Stands in for `Trackly` where the caller has the settings already; Dagster sees no field of it."""

    given: Settings

    def settings(self) -> Settings:
        """The settings given."""
        return self.given
