"""Opening the ledger: made where there is none, brought up to date, or read as it is.

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
    """The ledger, made if it is not there yet, and brought up to date if an older program made it.

    Raises:
        StorageError: it cannot be opened or written, or a newer program wrote it.
    """
    with _opened(settings) as ledger:
        ledger.bring_up_to_date(settings.ledger)
        yield ledger


@contextmanager
def existing_ledger(settings: Settings) -> Iterator[Ledger | None]:
    """The ledger to be read, brought up to date, or None if there is none yet; makes none.

    Raises:
        StorageError: it cannot be read, or a newer program wrote it.
    """
    file = sqlite_file(settings.ledger)
    if file and not is_there(file):
        yield None
        return
    with _opened(settings) as ledger:
        with ledger.begin() as connection:
            found = version(connection)
        if found is not None:  # else a push may be making it just now
            ledger.bring_up_to_date(settings.ledger)
        yield ledger if found is not None else None


@contextmanager
def _opened(settings: Settings) -> Iterator[Ledger]:
    url = settings.ledger
    with engine_on(url, durable=False) as engine, engine_on(url, durable=True) as durable:
        yield Ledger(engine, durable, str(sqlite_file(url) or "the ledger"), settings.part)
