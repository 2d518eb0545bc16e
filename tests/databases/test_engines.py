"""Engines stay for the next block of the same database; nothing of a block is open when it ends."""

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipelines.databases.engines import engine_on


def is_open(path: Path) -> bool:
    """Whether this process holds the file."""
    found = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return path in found


def test_an_engine_serves_one_block_of_one_database_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block in a block has another one, and so has another database or another durability."""
    path = tmp_path / "one.db"
    url, other = f"sqlite:///{path}", f"sqlite:///{tmp_path / 'sub.db'}"
    with engine_on(url, durable=True) as first, first.begin() as connection:
        connection.execute(sa.text("SELECT 1"))
        assert is_open(path)
        with engine_on(url, durable=True) as inner:
            assert inner is not first
    assert not is_open(path)
    with engine_on(url, durable=False) as plain, engine_on(other, durable=True) as elsewhere:
        assert {plain, elsewhere}.isdisjoint({first, inner})
        with plain.begin() as connection:
            assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == 1
    monkeypatch.setenv("SQLITE_TMPDIR", "/elsewhere")
    with engine_on(url, durable=True) as again, again.begin() as connection:
        assert again in (first, inner)
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == 2
        assert os.environ["SQLITE_TMPDIR"] == str(tmp_path)
    assert not is_open(path)


def test_of_many_databases_few_engines_wait(tmp_path: Path) -> None:
    """A process that serves many accounts does not keep one for each."""
    urls = [f"sqlite:///{tmp_path / str(number)}" for number in range(6)]
    made = []
    for url in urls:
        with engine_on(url, durable=True) as engine:
            made.append(engine)
    with engine_on(urls[-1], durable=True) as last, engine_on(urls[0], durable=True) as first:
        assert last is made[-1]
        assert first is not made[0]
        # what one of them has compiled is compiled for all
        asked, sizes = sa.select(sa.literal(7).label("of_this_test")), []
        for engine in (last, first):
            with engine.begin() as connection:
                assert connection.execute(asked).all() == [(7,)]
                assert connection.dialect.name == "sqlite"
            sizes.append(len(engine.get_execution_options()["compiled_cache"]))
        assert sizes[0] == sizes[1]
