"""Resources: thin typed shells that return plain objects of the engine.

Add one here if assets need a new outside object. What must not go in: values that a run could set. The key goes only
to the host in the operator's settings, and data stays in the operator's folders, whoever starts a run. So resources
have no configuration, and the engine reads the environment when a run begins.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from assets.runs.failed_steps import record_failed_steps
from assets.runs.started_by import asked
from pipelines.errors import SettingsError, StorageError
from pipelines.process.garbage import little_garbage
from pipelines.runs.run_state import whole_run
from pipelines.settings import Settings, load_settings
from pipelines.settings.misspelt import refuse_misspelt, warn_of_misspelt

_log = logging.getLogger(__name__)


@contextmanager
def run_goes_on(run: str, asked_for: str) -> Iterator[None]:
    """Mark a run as running during a block in which Dagster runs steps, also between two steps.

    Args:
        run: its id.
        asked_for: its command, as the command line names it.
    """
    with little_garbage(), whole_run(run, asked_for):
        yield


class Trackly(dg.ConfigurableResource[Settings]):
    """The settings of one account, from the environment or .env; a run's configuration cannot change them."""

    @contextmanager
    def yield_for_execution(  # type: ignore[override] # a step gets the resource itself
        self, context: dg.InitResourceContext
    ) -> Iterator["Trackly"]:
        """Yield the resource while Dagster runs steps in this process."""
        run = context.run
        if run is None:
            yield self
            return
        with run_goes_on(run.run_id, asked(run)):
            try:
                yield self
            finally:
                if context.instance:
                    _note_failures(context.instance, run)

    def settings(self) -> Settings:
        """Return the settings at the beginning of a run.

        Raises:
            SettingsError: a setting is malformed, or misspelt with effects that cannot be undone.
        """
        settings = load_settings()
        refuse_misspelt()
        warn_of_misspelt()
        return settings


def _note_failures(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Record failed steps; if the settings or our records cannot be read, only the step's error remains."""
    try:
        record_failed_steps(instance, run, load_settings())
    except (SettingsError, StorageError) as error:
        _log.warning("Which steps of the run failed is not on record: %s", error)


@dataclass(frozen=True, slots=True)
class GivenTrackly:
    """Replaces `Trackly` if the caller has the settings already; Dagster sees none of its fields."""

    given: Settings

    def settings(self) -> Settings:
        """The settings given."""
        return self.given
