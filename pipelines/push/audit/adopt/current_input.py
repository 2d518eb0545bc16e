"""Records the current input again in a ledger that knew an earlier one.

The stage is of the last intake, but a restored ledger may be of an earlier one: its counts would not match the rows
that are published. What does not belong here: judging rows again, which the next push does.
"""

import logging

from pipelines.databases.duckdb_instances import attached
from pipelines.push.checks.compare import as_it_was
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.stage.database import opened, stage_errors, stage_path
from pipelines.push.stage.redact import is_readable
from pipelines.settings import Settings
from schemas.registry import PUSHED

_log = logging.getLogger(__name__)


def refuse_damaged_stages(settings: Settings) -> None:
    """Raise unless every stage can be read; publishing after the change of the ledger will need them.

    Raises:
        StorageError: a stage is damaged.
    """
    for name in PUSHED:
        path = stage_path(settings, name)
        if path.exists():
            with stage_errors(path), attached(path, "stage", " (READ_ONLY)"):
                pass


def note_input(settings: Settings, ledger: Ledger) -> None:
    """Record what the stages hold, with the verdicts that they have.

    Args:
        settings: the place of the stages.
        ledger: an open ledger; the caller holds its locks.

    Raises:
        StorageError: the ledger or a stage cannot be used.
    """
    for name in PUSHED:
        path = stage_path(settings, name)
        if not path.exists():
            continue
        if not is_readable(path):
            _log.warning("%s: the input is counted again by the next push.", name)
            continue
        with opened(path) as connection:
            as_it_was(connection, name, ledger).record(ledger)
