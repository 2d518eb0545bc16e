"""A folder with an export in it, and a query that is run there."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
from histories import EXPORT

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
