"""Rows of a file as the stage has them, for tests that write one."""

from pathlib import Path
from typing import Any

from pipelines.push.files.find import Source
from pipelines.push.stage.database import building, read
from schemas.registry import PUSHED

Row = dict[str, Any]

HEADER = "id,to_number,timestamp,list_id,message,send_type"
LINE = "{},+12000000000,2024-05-01T10:00:00Z,100,{},campaign"


def load(path: Path, dataset: str = "sends", kind: str = "csv", compression: str = "") -> list[Row]:
    """The rows of a file, as the stage has them."""
    source = Source(path, dataset, kind, compression)
    stage = path.parent / f"{path.name}.duckdb"
    with building(stage, PUSHED[dataset], [source], path.parent / "none") as connection:
        return [
            row for batch in read(connection, "SELECT * FROM input ORDER BY seq") for row in batch.to_pylist()
        ]


def text(folder: Path, content: str | bytes, name: str = "sends.csv", kind: str = "csv") -> list[Row]:
    """The rows of a text."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load(path, kind=kind)


def load_column(path: Path, dataset: str, column: str) -> list[Row]:
    """Rows of a file of one column, in which the other ones that are needed are the same everywhere."""
    others = {
        "id": "x", "message_id": "x", "to_number": "+12000000000", "phone_number": "+12000000000",
        "timestamp": "2024-05-01", "offer_id": "269e0d37f2a74de452e6b438", "revenue": "5",
    }  # fmt: skip
    needed = [name for name in PUSHED[dataset].columns if name in others and name != column]
    header, *values = path.read_text().splitlines()
    lines = [
        ",".join([header, *needed]),
        *(",".join([value, *(others[name] for name in needed)]) for value in values),
    ]
    path.write_text("\n".join(lines) + "\n")
    return load(path, dataset)
