"""Raw bodies of events go after TRACKLY_WEBHOOK_KEEP_DAYS; what was read in them stays.

It runs with every publish of events. What does not belong here: records of runs (`pipelines.run_records.pruning`).
"""

from datetime import timedelta

from pipelines.settings import Settings
from pipelines.webhooks.events import reduced
from pipelines.webhooks.queue.store import Store, now

_MICROSECOND = timedelta(microseconds=1)


def prune_bodies(store: Store, settings: Settings) -> None:
    """Let raw bodies go whose time is over.

    Raises:
        StorageError: the queue refused.
    """
    if settings.webhook_keep_days:
        store.reduce(now() - timedelta(days=settings.webhook_keep_days) // _MICROSECOND, reduced)
