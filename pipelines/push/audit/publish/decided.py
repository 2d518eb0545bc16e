"""Publishes after a decision or after taking over: the ledger keeps these even if publishing fails.

What does not belong here: deciding (`pipelines.push.resolve`), taking over (`push.audit.adopt`), and the tables
(`publish`).
"""

import logging

from pipelines.errors import StorageError, TracklySyncError
from pipelines.process.interrupts import interrupts_deferred
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.settings import Settings

_log = logging.getLogger(__name__)

_STANDS = "The ledger has what was decided; the warehouse shows it after the next push or pull"


def publish_decided(settings: Settings) -> None:
    """Run `publish_imports` after a decision or a taking over, which is kept even if publishing fails.

    Raises:
        StorageError: the tables cannot be published.
    """
    try:
        with interrupts_deferred():
            publish_imports(settings)
    except TracklySyncError as error:
        raise StorageError(
            f"{_STANDS}. {error.message}",
            "Correct that, then push; the decision need not be repeated: trackly-sync push",
        ) from error
    except KeyboardInterrupt:
        _log.warning("%s; the decision need not be repeated.", _STANDS, extra={"event": "behind"})
        raise
