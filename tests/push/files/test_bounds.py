"""Small files that unfold into more than a machine has: a clear error, within bounds of memory.

They are read by a process that may map 3 GB at most. What any file may unfold into is an eighth there of what it is
elsewhere: to read that much takes seconds.
"""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import UsageError
from pipelines.push.files.find import Source, find_sources
from pipelines.push.stage.database import building
from pipelines.settings import load_settings
from schemas.registry import PUSHED

FIELDS = "id,to_number,timestamp,message"
ROW = {"id": "a", "to_number": "+15551234567", "timestamp": "2024-05-01T10:00:00Z"}

READ = """
import json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from pipelines.errors import TracklySyncError
from pipelines.push.files import bounds
from pipelines.push.files.find import find_sources
from pipelines.push.stage.database import building
from pipelines.settings import load_settings
from schemas.registry import PUSHED
bounds._FREE //= 8
for folder in map(Path, sys.argv[1:]):
    settings = load_settings(data_dir=folder)
    try:
        sources = find_sources(settings, ["sends"]).found["sends"]
        with building(folder / "push" / "sends.duckdb", PUSHED["sends"], sources, settings.warehouse):
            pass
        shown = 0, ""
    except TracklySyncError as error:
        shown = error.exit_code, str(error)
    print(json.dumps([folder.name, *shown]), flush=True)
"""


def wide_header(folder: Path) -> None:
    names = ",".join(f"c{n}" for n in range(20_000))
    (folder / "sends.csv").write_text(f"{FIELDS},{names}\n", encoding="utf-8")


def wide_object(folder: Path) -> None:
    row = {**ROW, **{f"k{n}": n for n in range(20_000)}}
    (folder / "sends.ndjson").write_text(json.dumps(row) + "\n", encoding="utf-8")


def many_keys(folder: Path) -> None:
    lines = (json.dumps({**ROW, **{f"k{line}_{n}": n for n in range(100)}}) for line in range(200))
    (folder / "sends.ndjson").write_text("\n".join(lines), encoding="utf-8")


def wide_parquet(folder: Path) -> None:
    table = pa.table({name: ["a"] for name in [*ROW, *(f"c{n}" for n in range(2_500))]})
    pq.write_table(table, folder / "sends.parquet")


def many_rows(folder: Path) -> None:
    duckdb.sql(
        "SELECT 'a' AS id, '+15551234567' AS to_number, '2024-05-01' AS timestamp FROM range(1_100_000)"
    ).write_parquet(str(folder / "sends.parquet"))


def large_page(folder: Path) -> None:
    table = pa.table({**{name: [value] for name, value in ROW.items()}, "message": ["x" * 40_000_000]})
    quick: dict[str, bool] = {"use_dictionary": False, "write_statistics": False}
    pq.write_table(table, folder / "sends.parquet", compression="zstd", **quick)


def large_dictionary(folder: Path) -> None:
    rows = 100_000
    same = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 5_000_000]))
    table = pa.table({**{name: [value] * rows for name, value in ROW.items()}, "message": same})
    pq.write_table(table, folder / "sends.parquet", compression="zstd")


def gzip_bomb(folder: Path) -> None:
    member = gzip.compress(b"\n" * 10_000_000)  # well: little is read before it is too much
    (folder / "sends.csv.gz").write_bytes(gzip.compress(f"{FIELDS}\n".encode()) + member * 100)


def zstd_bomb(folder: Path) -> None:
    frame = pa.compress(b"\n" * 100_000_000, codec="zstd", asbytes=True)
    (folder / "sends.ndjson.zst").write_bytes(frame * 100)


def long_line(folder: Path) -> None:
    with (folder / "sends.csv").open("wb") as file:
        file.write(f"{FIELDS}\n".encode())
        file.truncate(2 << 30)


def long_line_of_json(folder: Path) -> None:
    with (folder / "sends.ndjson").open("wb") as file:
        file.truncate(2 << 30)


def long_header(folder: Path) -> None:
    (folder / "sends.csv").write_text("x" * 50_000_000, encoding="utf-8")


BOMBS: dict[Callable[[Path], None], str] = {
    wide_header: "more than 2,000 columns or keys",
    wide_object: "more than 2,000 columns or keys",
    many_keys: "more than 2,000 columns or keys",
    wide_parquet: "more than 2,000 columns or keys",
    many_rows: "1,100,000 rows in",
    large_page: "unfolds into more than",
    large_dictionary: "value of 5,000,000 bytes in `message`",
    gzip_bomb: "unfolds into more than",
    zstd_bomb: "unfolds into more than",
    long_line: "line of more than 6,000,000 characters",
    long_line_of_json: "line of more than 6,000,000 characters",
    long_header: "line of more than 6,000,000 characters",
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """What came of each bomb, one after the other in a process that could have held none of them unfolded."""
    folders = []
    for bomb in BOMBS:
        folders.append(tmp_path_factory.mktemp("bombs") / bomb.__name__)
        (folders[-1] / "history").mkdir(parents=True)
        bomb(folders[-1] / "history")
    done = subprocess.run([sys.executable, "-c", READ, *folders], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: (code, text) for name, code, text in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_a_bomb_is_refused_with_its_remedy(
    refused: dict[str, tuple[int, str]], bomb: Callable[[Path], None]
) -> None:
    """Exit 2 and one line."""
    code, text = refused[bomb.__name__]
    assert code == 2
    assert BOMBS[bomb] in text
    assert "\n" not in text


@pytest.mark.parametrize("named", [False, True])
def test_a_pipe_is_named_and_not_opened(tmp_path: Path, named: bool) -> None:
    """In the folder it is not read; named by the operator it is refused at once."""
    settings = load_settings(data_dir=tmp_path)
    settings.history.mkdir()
    (settings.history / "clicks.csv").write_text("x", encoding="utf-8")
    os.mkfifo(settings.history / "sends.csv")
    if named:
        with pytest.raises(UsageError, match="a pipe"):
            find_sources(settings, ["sends"], [settings.history / "sends.csv"])
    else:
        found = find_sources(settings, ["sends", "clicks"])
        assert [(file.path.name, "a pipe" in file.why) for file in found.unread] == [("sends.csv", True)]


@pytest.mark.parametrize("follow", [False, True])
def test_a_linked_folder_is_read_only_where_that_is_set(tmp_path: Path, follow: bool) -> None:
    """`history/sends -> elsewhere` is named with the setting, or read by it."""
    settings = load_settings(data_dir=tmp_path, follow_links=follow)
    settings.history.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").write_text("x", encoding="utf-8")
    (settings.history / "clicks.csv").write_text("x", encoding="utf-8")
    (settings.history / "sends").symlink_to(tmp_path / "elsewhere")
    sources = find_sources(settings, list(PUSHED))
    assert [source.path.name for source in sources.found["sends"]] == (["a.csv"] if follow else [])
    assert [(f.path.name, "TRACKLY_FOLLOW_LINKS=on" in f.why) for f in sources.unread] == (
        [] if follow else [("sends", True)]
    )


def test_a_link_beside_its_file_is_the_same_file(tmp_path: Path) -> None:
    """`sends-latest.csv` that leads to `sends-2.csv` does not bring its rows twice."""
    settings = load_settings(data_dir=tmp_path)
    settings.history.mkdir()
    (settings.history / "sends-2.csv").write_text("x", encoding="utf-8")
    (settings.history / "sends-latest.csv").symlink_to("sends-2.csv")
    assert len(find_sources(settings, ["sends"]).found["sends"]) == 1


@pytest.mark.parametrize("by", ["link", "pipe", "nothing"])
def test_a_file_that_is_replaced_before_it_is_read_is_refused(tmp_path: Path, by: str) -> None:
    """Between being found and being read it became something else."""
    path, other = tmp_path / "sends.csv", tmp_path / "other.csv"
    for file in (path, other):
        file.write_text(f"{FIELDS}\na,+15551234567,2024-05-01,x\n", encoding="utf-8")
    source = Source(path, "sends", "csv", real=path.resolve())
    path.unlink()
    if by == "link":
        path.symlink_to(other)
    elif by == "pipe":
        os.mkfifo(path)
    with (
        pytest.raises(UsageError, match="was replaced"),
        building(tmp_path / "stage.duckdb", PUSHED["sends"], [source], tmp_path / "none"),
    ):
        pass


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it would be sent, and the rest be taken for new rows later."""
    path = tmp_path / "sends.csv"
    path.write_text(f"{FIELDS}\na,+15551234567,2024-05-01,x\n", encoding="utf-8")
    stage = sys.modules["pipelines.push.stage.database"]
    load = stage.load

    def grow(*arguments: object) -> None:
        load(*arguments)
        with path.open("a", encoding="utf-8") as file:
            file.write("b,+15551234567,2024-05-01,x\n")

    monkeypatch.setattr(stage, "load", grow)
    with (
        pytest.raises(UsageError, match="changed while it was read"),
        building(
            tmp_path / "stage.duckdb", PUSHED["sends"], [Source(path, "sends", "csv")], tmp_path / "none"
        ),
    ):
        pass
