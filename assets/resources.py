"""Resources: thin typed shells that hand out plain objects of the engine.

Add one here when assets need something new from outside. What must not go in: anything that a run could set. The key
goes to the host of the operator's settings, and what is kept lies in the operator's folders, whoever starts a run: so
resources have no configuration at all, and the engine reads the environment when a run begins.
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
    """A block in which Dagster runs steps in this process: the run goes on, whether one is under way or not.

    Args:
        run: its id.
        asked_for: what it is to do, as the command line names it.
    """
    with little_garbage(), whole_run(run, asked_for):
        yield


class Trackly(dg.ConfigurableResource[Settings]):
    """The settings of one account, from the environment or .env; a run's configuration has no say in them."""

    @contextmanager
    def yield_for_execution(  # type: ignore[override] # a step gets the resource itself
        self, context: dg.InitResourceContext
    ) -> Iterator["Trackly"]:
        """For as long as Dagster runs steps in this process."""
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
        """The settings as they are when a run begins.

        Raises:
            SettingsError: one is malformed, or misspelt where that cannot be undone.
        """
        settings = load_settings()
        refuse_misspelt()
        warn_of_misspelt()
        return settings


def _note_failures(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Where the settings or our records cannot be read there is no place to note them; the step's error says why."""
    try:
        record_failed_steps(instance, run, load_settings())
    except (SettingsError, StorageError) as error:
        _log.warning("Which steps of the run failed is not on record: %s", error)


@dataclass(frozen=True, slots=True)
class GivenTrackly:
    """Stands in for `Trackly` where the caller has the settings already; Dagster sees no field of it."""

    given: Settings

    def settings(self) -> Settings:
        """The settings given."""
        return self.given
