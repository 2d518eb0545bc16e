"""What the warehouse knows already, for a pull that reads new sign-ups only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.errors import UsageError
from pipelines.pull.decode.row_keys import Seen
from pipelines.settings import Settings
from pipelines.warehouse.published import published
from pipelines.warehouse.swap import reading

_QUERY = (
    "SELECT 1 FROM contacts WHERE phone_number = ? AND list_id = ? AND signup_date IS NOT DISTINCT FROM ?"
)


@contextmanager
def known_contacts(settings: Settings) -> Iterator[Callable[[Seen], bool]]:
    """A function that takes a reply of contacts and returns whether its last row is published as it stands.

    Contacts come newest first (/api-reference/v2/contacts/list-contacts), so below such a row nothing is new.

    Raises:
        UsageError: no contacts are published.
        StorageError: the warehouse cannot be read.
    """
    if "contacts" not in published(settings.warehouse):
        raise UsageError(
            "No contacts are published to go on from.", "Run a full pull first: trackly-sync pull"
        )
    with reading(settings.warehouse) as connection:

        def is_known(seen: Seen) -> bool:
            if not seen.last:
                return False
            phone, list_id, _ = seen.last
            return connection.execute(_QUERY, [phone, list_id, seen.oldest]).fetchone() is not None

        yield is_known
