"""A ledger that is damaged, or none of ours: one line by everything that opens it, and a remedy that leads on."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.errors import StorageError
from pipelines.push.audit.publish.publish import _sent_text
from pipelines.push.ledger.opening import existing_ledger, open_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.settings import Settings
from pipelines.webhooks.queue.state import received


def with_tables(script: str) -> Callable[[Path], None]:
    """Makes an SQLite database of a script."""

    def make(path: Path) -> None:
        path.unlink()
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)

    return make


def edited(path: Path, statement: str) -> None:
    """Change a ledger behind our back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "a text": lambda path: path.write_text("no database\n" * 99),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "its first page": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "a part of it": with_tables("CREATE TABLE push_rows (x)"),
    "more than its version has": lambda path: edited(path, "UPDATE push_version SET version_num = '0007'"),
    "others' version": with_tables(
        "CREATE TABLE push_version (version_num); INSERT INTO push_version VALUES ('a')"
    ),
    "its version only": with_tables(
        "CREATE TABLE push_version (version_num TEXT); INSERT INTO push_version VALUES ('0010')"
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_ledger_has_a_remedy_that_leads_on(tmp_path: Path, damage: str) -> None:
    """Reading and opening it say the same; without it and what belongs to it there is an empty one again."""
    settings = Settings(data_dir=tmp_path)
    path = tmp_path / "ledger.db"
    with open_ledger(settings) as ledger:
        ledger.last_chunk("sends")
    DAMAGES[damage](path)

    def opened() -> None:
        with open_ledger(settings) as ledger:
            ledger.outcomes()

    def read() -> None:
        with existing_ledger(settings) as ledger:
            assert ledger
            ledger.outcomes()

    for ask in (lambda: outcomes(settings), opened, read):
        with pytest.raises(StorageError, match=r"damaged|unknown to this program") as refused:
            ask()
        assert "trackly-sync adopt" in refused.value.remedy
        assert "\n" not in str(refused.value)
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    opened()


def test_a_damaged_queue_of_events_has_a_remedy_of_its_own(tmp_path: Path) -> None:
    """It is no ledger: nothing can be taken over."""
    settings = Settings(data_dir=tmp_path)
    (tmp_path / "webhooks.db").write_bytes(b"no database\n" * 99)
    with pytest.raises(StorageError, match=r"webhooks\.db is damaged") as refused:
        received(settings)
    assert "events that are not in the warehouse yet are lost" in refused.value.remedy


def test_a_push_beside_a_ledger_that_breaks_says_where_the_figures_are(tmp_path: Path) -> None:
    """What was sent cannot be counted then, and is on record all the same."""
    settings = Settings(data_dir=tmp_path)
    with open_ledger(settings) as ledger:
        assert _sent_text(ledger, {"sends": 0}) == "Nothing was sent."
        edited(tmp_path / "ledger.db", "DROP TABLE push_chunks")
        assert _sent_text(ledger, {"sends": 0}) == "What was sent is in the ledger, and is not sent again."
