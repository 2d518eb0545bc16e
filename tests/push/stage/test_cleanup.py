"""What a killed push left in the folder of stages."""

import resource
from pathlib import Path

import pytest
from staged import HEADER, LINE, load

from pipelines.errors import StorageError
from pipelines.push.stage.cleanup import tidy
from pipelines.push.stage.database import opened
from pipelines.settings import load_settings


def stage(folder: Path) -> Path:
    """A stage of one row, as a push leaves it that was killed after its intake."""
    folder.mkdir()
    (folder / "sends").write_text(f"{HEADER}\n{LINE.format('m1', 'Hi')}\n")
    load(folder / "sends")
    return folder / "sends.duckdb"


def test_what_was_half_built_goes_and_phones_are_put_away(tmp_path: Path) -> None:
    """A stage that cannot be read may hold phone numbers, and is made again by the next intake; others are kept."""
    settings = load_settings(_env_file=None, data_dir=tmp_path, hash_phones="k" * 32)
    kept = stage(tmp_path / "push")
    (tmp_path / "push" / ".sends.building").mkdir()
    (tmp_path / "push" / ".clicks.building.wal").touch()
    (tmp_path / "push" / ".stages.lock").touch()  # of a process that has ended
    for name in ("clicks.duckdb", "clicks.duckdb.wal"):
        (tmp_path / "push" / name).write_bytes(b"+12000000000" * 1_000)
    tidy(settings)
    left = {path.name for path in (tmp_path / "push").iterdir()} - {"sends", ".stages.lock", ".push.lock"}
    assert left == {"sends.duckdb"}
    assert b"+12000000000" not in kept.read_bytes()


def test_a_disk_without_room_puts_nothing_away_and_says_so(tmp_path: Path) -> None:
    """A stage that can be read is not thrown away because the disk refused."""
    settings = load_settings(_env_file=None, data_dir=tmp_path, hash_phones="k" * 32)
    kept = stage(tmp_path / "push")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(StorageError):
            tidy(settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with opened(kept) as connection:
        assert connection.execute("SELECT id FROM input").fetchall() == [("m1",)]
