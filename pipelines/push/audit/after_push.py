"""After a push, also one that failed: its outcomes are published, and an error about that says what was sent.

What does not belong here: what is published (`publish`), and what alerts (`alerts`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pipelines.errors import StorageError, TracklySyncError
from pipelines.push.audit.publish import publish_imports
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.run_counts import sent_after
from pipelines.settings import Settings
from pipelines.text.humanize import plural
from schemas.registry import PUSHED


@contextmanager
def outcomes_published(settings: Settings, ledger: Ledger) -> Iterator[None]:
    """Publish the outcomes in the end, also of a push that failed.

    Raises:
        StorageError: they cannot be published. Rows may be in the account by then: the error says what was sent, and
            names the failure before it, which it would hide otherwise.
    """
    seen = {name: ledger.last_chunk(name) for name in PUSHED}
    failed: TracklySyncError | None = None
    try:
        yield
    except TracklySyncError as error:
        failed = error
        raise
    finally:
        try:
            publish_imports(settings)
        except TracklySyncError as error:
            before = f"{failed.message} " if failed else ""
            raise StorageError(
                f"{before}{_sent_text(ledger, seen)} The warehouse was not rebuilt: {error.message}",
                error.remedy,
            ) from error


def _sent_text(ledger: Ledger, seen: Mapping[str, int]) -> str:
    """What was sent since some calls, in a sentence; without a figure where the ledger cannot be read.

    Args:
        ledger: open.
        seen: by dataset, the number of the last call before.
    """
    try:
        with ledger.begin() as transaction:
            sent = [sent_after(transaction, name, ledger.part, seen[name]).values() for name in seen]
    except StorageError:
        return "What was sent is in the ledger, and is not sent again."
    rows = sum(map(sum, sent))
    if not rows:
        return "Nothing was sent."
    return (
        f"{plural(rows, 'row was', 'rows were')} sent; the ledger has each of them, and none is sent again."
    )
