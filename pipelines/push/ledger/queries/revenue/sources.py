"""The files that revenue was sent from, by number.

What does not belong here: which files the current input has (`decisions.note_files`), and what follows if rows of
several files are equal (`pipelines.push.checks.revenue.overlaps`).
"""

from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from pipelines.push.ledger.db.tables import SOURCES
from pipelines.push.ledger.ledger import Ledger


def note_sources(ledger: Ledger, paths: Iterable[str]) -> None:
    """Give a number to every file that has none yet.

    Args:
        ledger: an open ledger.
        paths: files of revenue.
    """
    known = sources(ledger)
    new = [path for path in dict.fromkeys(str(Path(path).absolute()) for path in paths) if path not in known]
    if new:
        with ledger.begin() as connection:
            connection.execute(sa.insert(SOURCES), [{"path": path} for path in new])


def sources(ledger: Ledger) -> dict[str, int]:
    """Return the number of every file that revenue was sent from, by path."""
    with ledger.begin() as connection:
        found = connection.execute(sa.select(SOURCES.c.path, SOURCES.c.source)).all()
    return {row[0]: row[1] for row in found}
