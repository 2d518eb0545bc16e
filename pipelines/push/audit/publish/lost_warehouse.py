"""Fills the tables of pushes after a pull, if the warehouse was made again or is behind the ledger.

What does not belong here: filling them (`audit.publish`), and a ledger that was lost (`audit.adopt`).
"""

import logging

from pipelines.errors import TracklySyncError
from pipelines.push.audit.lost_ledger.detect import refuse_older
from pipelines.push.audit.lost_ledger.survivors import opened_warehouse
from pipelines.push.audit.publish.behind import behind
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.push.ledger.lock import push_lock
from pipelines.push.ledger.opening import existing_ledger
from pipelines.settings import Settings

_log = logging.getLogger(__name__)


def publish_missing_imports(settings: Settings) -> None:
    """Fill the tables of a warehouse that was made again or lacks outcomes of earlier pushes; called after a pull.

    The pull does not fail because of this: problems are logged, and the next push publishes.

    Raises:
        StorageError: the warehouse cannot be read.
    """
    with opened_warehouse(settings) as connection:
        if connection is None:
            return
        is_empty = not connection.execute("FROM imports.chunks LIMIT 1").fetchone()
    try:
        if not is_empty and not behind(settings).outcomes:
            return
        with existing_ledger(settings) as ledger:
            if ledger is None or not ledger.chunks():
                return
        with push_lock(settings.data_dir):
            refuse_older(settings)  # a published archive without notes would count as all that was sent
            publish_imports(settings)
    except TracklySyncError as error:
        _log.warning("The tables of pushed history stay as they are until the next push: %s", error)
