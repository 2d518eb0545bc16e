"""A user's mistakes at the command line: each is one error with its remedy, and changes nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Done

from pipelines.cli.app import _REFUSING
from pipelines.sandbox import API_KEY

Sync = Callable[..., Done]


@pytest.mark.parametrize(
    ("arguments", "changes", "code", "words"),
    [
        (["pull"], {"TRACKLY_API_KEY": None}, 2, "TRACKLY_API_KEY is not set"),
        (["pull"], {"TRACKLY_API_KEY": "trk_short"}, 2, "TRACKLY_API_KEY must have 32 characters"),
        (["pull"], {"TRACKLY_API_KEY": "trk_" + "z" * 32}, 1, "TRACKLY_API_KEY"),
        (["pull"], {"TRACKLY_BASE_URL": "app.example.com"}, 2, "TRACKLY_BASE_URL must begin with https://"),
        (
            ["pull"],
            {"TRACKLY_BASE_URL": "http://127.0.0.1:9/api/v2", "TRACKLY_RETRY_SECONDS": "0"},
            1,
            "127.0.0.1:9",
        ),
        (
            ["pull"],
            {"TRACKLY_CONCURRENCY": "many"},
            2,
            "TRACKLY_CONCURRENCY must be a whole number from 1 to 64.",
        ),
        (["status"], {"TRACKLY_LEDGER_URL": "mysql://u:p@h/db"}, 2, "mysql:// is not supported"),
        (["pull"], {"TRACKLY_SCHEDULES": "maybe"}, 2, "TRACKLY_SCHEDULES must be on or off"),
        (["pull"], {"TRACKLY_HISTORY_START": "2020"}, 2, "TRACKLY_HISTORY_START must be a date, such as"),
        *(
            ([command], {"TRACKLY_HASH": "x"}, 2, "Error: TRACKLY_HASH is no setting and has no effect; what")
            for command in _REFUSING
        ),
        (
            ["status"],
            {"TRACKLY_HASH": "x", "TRACKLY_LEDGER_URL": "mysql://u:p@h/db"},
            2,
            "TRACKLY_HASH_PHONES is one",
        ),
        (["pull"], {"TRACKLY_API_KEY": None, "TRACKLY_APIKEY": "x"}, 2, "TRACKLY_API_KEY is one"),
        (["push", "--month", "March"], {}, 2, "Write it as --month 2026-10"),
        (["push", "--month", "2025-3x", "--dry-run"], {}, 2, "Write it as --month 2026-10"),
        (["pull"], {"TRACKLY_DATA_DIR": "/proc/nothing"}, 1, "TRACKLY_DATA_DIR"),
        (["pull"], {"TRACKLY_DATA_DIR": "x" * 300}, 1, "File name too long"),
        (["pull", "contact"], {}, 2, "Did you mean contacts?"),
        (["pull", "--since-last"], {}, 1, "Run a full pull first"),
        (["push"], {}, 2, "There is no history at"),
        (["rollback", "contacts"], {}, 1, "no snapshot of contacts yet"),
        (["rejects"], {}, 1, "There is no warehouse"),
        (["replay", "contacts"], {}, 1, "No snapshot of contacts is published"),
        (["push", "--from", "nowhere"], {}, 2, "Name a file or folder that is there"),
        (["ui", "--port", "99999"], {}, 2, "a whole number, 1 to 65535"),
        (["alerts", "--test"], {}, 2, "TRACKLY_ALERT_WEBHOOK is not set"),
        (["sandbox", "--fault", "nonsense"], {}, 2, "not a kind of fault"),
        (["nonsense"], {}, 2, "No such command"),
    ],
)
def test_mistakes_are_named_with_their_remedy(
    sync: Sync, arguments: list[str], changes: dict[str, Any], code: int, words: str
) -> None:
    """A user's mistake is one error with a remedy and the right exit code, never a traceback, never the key."""
    done = sync(*arguments, **changes)
    assert done.returncode == code, done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stderr.count("is no setting") <= 1, "a refusal is no warning as well"
    assert done.stdout == ""
    key = changes.get("TRACKLY_API_KEY") or API_KEY
    assert key not in done.stderr


def test_a_key_with_a_newline_works(sync: Sync) -> None:
    """White space pasted round a key does not matter."""
    assert sync("pull", "lists", TRACKLY_API_KEY=f" {API_KEY}\n").returncode == 0


def test_an_empty_history_folder_says_what_belongs_there(sync: Sync, tmp_path: Path) -> None:
    """A folder without history is exit code 2, with the names that are expected."""
    (tmp_path / "data" / "history").mkdir(parents=True)
    done = sync("push")
    assert done.returncode == 2
    assert "files named sends, clicks or revenue" in " ".join(done.stderr.split())


def test_settings_come_from_a_dotenv_file(sync_apart: Sync, tmp_path: Path) -> None:
    """A .env file in the working directory will do; the environment wins over it; one that is no text is named."""
    (tmp_path / ".env").write_text(f"TRACKLY_API_KEY={API_KEY}\nTRACKLY_CONCURRENCY=999\n")
    assert sync_apart("pull", "lists", TRACKLY_API_KEY=None).returncode == 2
    with (tmp_path / ".env").open("a") as file:
        file.write("some words\n")
    done = sync_apart("pull", "lists", TRACKLY_API_KEY=None, TRACKLY_CONCURRENCY="2")
    assert (done.returncode, "Line 3 of .env is not NAME=value" in done.stderr) == (0, True)
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    refused = sync_apart("status")
    assert (refused.returncode, ".env cannot be read" in refused.stderr) == (2, True)


def test_the_demo_empties_no_folder_of_others(sync: Sync, tmp_path: Path) -> None:
    """A folder that holds something else is left alone."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "treasure").write_text("kept")
    assert sync("demo", "--data-dir", "mine").returncode == 2
    assert (tmp_path / "mine" / "treasure").read_text() == "kept"
