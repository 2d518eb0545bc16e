"""A folder with an export in it, and a query that is run there."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from forked import Forked
from histories import EXPORT

from pipelines.push.stage import query_cage, query_process
from pipelines.push.stage.query_cage import Bounds, run_query


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A history folder with an export in it, and things beside it that are none of a query's business."""
    folder = tmp_path / "history"
    (folder / "sub").mkdir(parents=True)
    (folder / "x.csv").write_text(EXPORT, encoding="utf-8")
    (folder / "sub" / "y.csv").write_text(EXPORT, encoding="utf-8")
    (folder / ".env").write_text("TRACKLY_API_KEY=trk_secret\n", encoding="utf-8")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "z.csv").write_text(EXPORT, encoding="utf-8")
    return folder


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Any:
    """Run a query; its rows."""

    def run(text: str, **bounds: Any) -> list[tuple[Any, ...]]:
        path = folder / "sends.sql"
        path.write_text(text, encoding="utf-8")
        output = tmp_path / "rows.parquet"
        warehouse = tmp_path / "warehouse.duckdb"
        run_query(path, ["id", "timestamp"], warehouse, output, Bounds(**{"seconds": 60, **bounds}))
        return duckdb.read_parquet(str(output)).fetchall()

    return run


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries run in a process that is forked, which takes a fifth of the time of one that starts Python and DuckDB.

    For what a query may say and what comes of it. What the process may reach is for `test_query_cage.py`.
    """
    monkeypatch.setattr(query_cage, "answer_of", _of_a_fork)


def _of_a_fork(path: Path, task: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    given = json.dumps(task) + "\n"
    with Forked(_answer, (given,), query_cage.environment(), path.parent.resolve()) as process:
        answer, _ = process.communicate(seconds)
    found: dict[str, Any] = json.loads(answer) if answer else {"error": "ended", "text": ""}
    return found


def _answer(given: str) -> None:
    """The program of the process, with its task on a standard input that stays open."""
    reading, writing = os.pipe()
    os.write(writing, given.encode())
    sys.stdin = os.fdopen(reading)
    sys.argv = [query_process.__file__, str(Path(duckdb.__file__).parent.parent)]
    query_process.main()
