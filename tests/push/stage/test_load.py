"""Files that DuckDB fails at: whose fault that is, and no value of theirs in the error."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from staged import load as rows_of

from pipelines.errors import StorageError, UsageError
from pipelines.push.files.find import Source
from pipelines.push.stage.database import building, opened
from pipelines.push.stage.load import load
from schemas.registry import PUSHED


def written(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    path = folder / "sends.parquet"
    pq.write_table(pa.table(columns), path, **options)
    return path


def sends(rows: int, message: str = "") -> dict[str, Any]:
    return {
        "id": [f"m{n}" for n in range(rows)],
        "to_number": ["+12000000000"] * rows,
        "timestamp": ["2024-05-01T10:00:00Z"] * rows,
        "message": [f"{n:0500}{message}" for n in range(rows)],
    }


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_damaged_pages_are_named(tmp_path: Path, compression: str) -> None:
    """The foot of the file is whole, its pages are not: of the file, without the text of DuckDB or of a row."""
    path = written(tmp_path, sends(3_000, "secret"), compression=compression)
    content = bytearray(path.read_bytes())
    for place in range(100, 3_000, 7):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read as parquet") as caught:
        rows_of(path, kind="parquet")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("limit", "room", "kind", "words"),
    [
        (
            "8MB",
            "10GB",
            UsageError,
            "takes more memory than a history file may. Export it again, with smaller",
        ),
        ("12MB", "0KB", StorageError, "Cannot read"),
    ],
)
def test_memory_and_room_to_spill_are_told_apart(
    tmp_path: Path, limit: str, room: str, kind: type[Exception], words: str
) -> None:
    """A Parquet file that needs more memory than there may be is at fault; a disk without room is not its fault."""
    path = written(tmp_path, sends(20_000), compression="zstd", row_group_size=20_000)
    with building(tmp_path / "stage.duckdb", PUSHED["sends"], [], tmp_path / "none") as connection:
        connection.execute(f"SET memory_limit = '{limit}'")
        connection.execute(f"SET max_temp_directory_size = '{room}'")
        with pytest.raises(kind) as caught:
            load(connection, PUSHED["sends"], 0, Source(path, "sends", "parquet", ""))
    assert words in str(caught.value)


def test_parquet_without_columns_or_without_texts(tmp_path: Path) -> None:
    """One that DuckDB cannot describe is refused; one of numbers and times has no text to measure."""
    with pytest.raises(UsageError, match="not a Parquet file that DuckDB can read"):
        rows_of(written(tmp_path, {}), kind="parquet")
    columns = {"id": [7], "to_number": [12000000000], "timestamp": [datetime(2024, 5, 1)], "list_id": [1]}  # noqa: DTZ001 - without a zone on purpose
    (row,) = rows_of(written(tmp_path, columns), kind="parquet")
    assert (row["id"], row["to_number"], row["list_id"], row["problem"]) == ("7", "12000000000", 1, None)


def test_a_stage_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"No history was taken in yet.*trackly-sync push"),
        opened(tmp_path / "x"),
    ):
        pass
