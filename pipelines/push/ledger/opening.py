"""Opens the ledger: creates it if there is none, upgrades it, or reads it as it is.

What does not belong here: its verbs (`ledger`), and how a database is opened in general (`pipelines.databases`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.databases.engines import engine_on
from pipelines.databases.sqlite_or_postgresql import sqlite_file
from pipelines.push.ledger.db.upgrade import version
from pipelines.push.ledger.ledger import Ledger
from pipelines.settings import Settings
from pipelines.storage import is_there


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """Open the ledger; it is created if it does not exist, and upgraded if an older program made it.

    Raises:
        StorageError: the ledger cannot be opened or written, or a newer program wrote it.
    """
    with _opened(settings) as ledger:
        ledger.bring_up_to_date(settings.ledger)
        yield ledger


@contextmanager
def existing_ledger(settings: Settings) -> Iterator[Ledger | None]:
    """Open the ledger for reading, upgraded if needed; yield None if there is none, and create none.

    Raises:
        StorageError: the ledger cannot be read, or a newer program wrote it.
    """
    file = sqlite_file(settings.ledger)
    if file and not is_there(file):
        yield None
        return
    with _opened(settings) as ledger:
        with ledger.begin() as connection:
            found = version(connection)
        if found is not None:  # without a version, a push may be creating it at this moment
            ledger.bring_up_to_date(settings.ledger)
        yield ledger if found is not None else None


@contextmanager
def _opened(settings: Settings) -> Iterator[Ledger]:
    url = settings.ledger
    with engine_on(url, durable=False) as engine, engine_on(url, durable=True) as durable:
        yield Ledger(engine, durable, str(sqlite_file(url) or "the ledger"), settings.part)
