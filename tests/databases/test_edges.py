"""Databases that cannot be opened, folders that are gone, and small things of a disk."""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from pipelines.databases.duckdb_instances import attached
from pipelines.databases.sqlite_or_postgresql import making
from pipelines.databases.sqlite_reader import Remedies, asking
from pipelines.errors import SettingsError, StorageError
from pipelines.logs import JsonLines
from pipelines.privacy import Privacy
from pipelines.runs.record_files import _give_room
from pipelines.settings import load_settings
from pipelines.settings.demo_account import announced, served_account
from pipelines.storage import _remove_unless_held

REMEDIES = Remedies("make room", "move it away")


def test_a_file_that_is_no_database_or_cannot_be_made(tmp_path: Path) -> None:
    """Each with its own remedy."""
    (tmp_path / "file").write_bytes(b"no database " * 1_000)
    with pytest.raises(StorageError, match="move it away"), making(f"sqlite:///{tmp_path}/file", REMEDIES):
        pass
    with pytest.raises(StorageError, match="make room"), making(f"sqlite:///{tmp_path}/file/in.db", REMEDIES):
        pass


def test_a_file_of_a_newer_sqlite_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    """It is refused by the first look, which is not repeated as on a disk without room."""
    path = tmp_path / "newer.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    content = bytearray(path.read_bytes())
    content[47] = 9  # the format of its schema
    path.write_bytes(content)
    with pytest.raises(StorageError, match="unsupported file format"), asking(path, REMEDIES):
        pass


def test_an_instance_that_has_spilled_elsewhere_is_not_used_again(tmp_path: Path) -> None:
    """DuckDB keeps its folder: another block would spill where it must not, or fail."""
    for name in ("first", "second"):
        folder = tmp_path / name
        config = {"memory_limit": "20MB", "temp_directory": str(folder), "threads": 1}
        with attached(None, "stage", config=config) as connection:
            connection.execute("CREATE TABLE t AS SELECT n, hash(n) AS h FROM range(2_000_000) t(n)")
            assert folder.exists(), "it has not spilled"
            assert connection.execute("SELECT count(*) FROM t").fetchall() == [(2_000_000,)]
            shutil.rmtree(folder)  # as the end of a work folder does


def test_of_an_exception_only_its_kind_is_logged() -> None:
    error = ZeroDivisionError("of +15550001111")
    record = logging.makeLogRecord({"msg": "failed", "exc_info": (type(error), error, None)})
    line = JsonLines().format(record)
    assert msgspec.json.decode(line)["exception"] == "ZeroDivisionError"
    assert "+1555" not in line


def test_without_custom_fields_phones_stay_where_they_are_not_hashed() -> None:
    body = b'{"contacts": [{"phone_number": "+15550001111", "custom_fields": {"a": 1}}]}'
    kept = Privacy(None, drop_custom_fields=True).filtered(body, "contacts")
    (row,) = msgspec.json.decode(kept)["contacts"]
    assert row.get("custom_fields") is None
    assert row["phone_number"] == "+15550001111"


def test_a_reserve_that_has_no_more_goes(tmp_path: Path) -> None:
    reserve = tmp_path / "reserve"
    reserve.write_bytes(bytes(100_000))
    _give_room(reserve, 5_000)
    assert 0 < reserve.stat().st_size < 95_000
    _give_room(reserve, 95_000)
    assert not reserve.exists()


def test_what_is_gone_or_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    _remove_unless_held(tmp_path / "gone")
    with announced(tmp_path / "gone", "http://127.0.0.1:1/api/v2", "key"):
        assert served_account(tmp_path / "gone") is None


def test_keys_and_addresses_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one is none; one with other signs, or of another type, is a mistake."""
    monkeypatch.setenv("TRACKLY_API_KEY", " ")
    assert load_settings(_env_file=None).api_key is None
    monkeypatch.setenv("TRACKLY_API_KEY", "trk_" + "-" * 32)
    with pytest.raises(SettingsError, match="TRACKLY_API_KEY may hold only letters and digits after trk_"):
        load_settings(_env_file=None)
    monkeypatch.delenv("TRACKLY_API_KEY")
    for url in (7, "https://[v1.a]/api/v2"):
        with pytest.raises(SettingsError, match="TRACKLY_BASE_URL"):
            load_settings(_env_file=None, base_url=url)
