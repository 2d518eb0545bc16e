"""Deletes raw bodies of events after TRACKLY_WEBHOOK_KEEP_DAYS; the fields that were read are kept.

It runs with every publish of events. What does not belong here: records of runs (`pipelines.run_records.pruning`).
"""

from datetime import timedelta

from pipelines.settings import Settings
from pipelines.webhooks.events import reduced
from pipelines.webhooks.queue.store import Store, now

_MICROSECOND = timedelta(microseconds=1)


def prune_bodies(store: Store, settings: Settings) -> None:
    """Delete raw bodies whose time is over.

    Raises:
        StorageError: the queue refused.
    """
    if settings.webhook_keep_days:
        store.reduce(now() - timedelta(days=settings.webhook_keep_days) // _MICROSECOND, reduced)
