"""Which files are history, by their names: none is overlooked, and none of another kind is taken."""

from pathlib import Path

import pytest

from pipelines.push.files.find import Sources, find_sources
from pipelines.settings import Settings
from schemas.registry import PUSHED


def found(folder: Path, *names: str) -> Sources:
    """What is found in a folder of files with these names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("SELECT 1" if name.endswith(".sql") else "x")
    return find_sources(Settings(), list(PUSHED), [folder])


@pytest.mark.parametrize(
    ("name", "format_", "compression"),
    [
        ("sends-2023/part-0.csv", "csv", ""),
        ("sends.csv/part-00000.csv", "csv", ""),
        ("sends.csv/part-00000", "csv", ""),
        ("sends.ndjson/part-00000.gz", "ndjson", "gzip"),
        ("sends.parquet/part-00000-c000.snappy.parquet", "parquet", ""),
        ("SENDS.CSV", "csv", ""),
        ("Sends.Csv.GZ", "csv", "gzip"),
        ("sends_eu.JSONL.zst", "ndjson", "zstd"),
        ("sends (1).txt", "csv", ""),
        ("2024/sends/year=2024/a.tsv", "csv", ""),
    ],
)
def test_files_of_a_dataset(tmp_path: Path, name: str, format_: str, compression: str) -> None:
    taken = found(tmp_path, name)
    (source,) = taken.found["sends"]
    assert (source.path, source.format, source.compression) == (tmp_path / name, format_, compression)
    assert not taken.unread
    assert not taken.found["clicks"]


@pytest.mark.parametrize(
    "name",
    [
        "sends.csv/_SUCCESS",
        "sends.csv/.part-00000.csv.crc",
        "sends.csv.crc",
        "sends-2.csv.part",
        ".sends.csv",
        "sends.csv.md5",
    ],
)
def test_marks_and_unfinished_uploads_are_passed_over(tmp_path: Path, name: str) -> None:
    taken = found(tmp_path, "sends-1.csv", name)
    assert [source.path.name for source in taken.found["sends"]] == ["sends-1.csv"]
    assert not taken.unread


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sends.xlsx", "is a spreadsheet"),
        ("sends.XLSX", "is a spreadsheet"),
        ("sends.zip", "is an archive"),
        ("sends.avro", "has the ending .avro, which is not read"),
        ("sends/part-00000", "has no known ending"),
        ("sends", "has no known ending"),
        ("sends.parquet.gz", "is parquet inside gzip"),
        ("sends.csv.bz2", "is an archive"),
        ("sends/notes.doc", "has the ending .doc, which is not read"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, name: str, why: str) -> None:
    taken = found(tmp_path, "clicks.csv", name)
    (unread,) = taken.unread
    assert unread.path == tmp_path / name
    assert unread.why.startswith(why)
    assert unread.dataset == "sends"


def test_files_that_a_query_reads_are_its_input(tmp_path: Path) -> None:
    (tmp_path / "sends-raw.xlsx.csv").write_text("a\n1\n")
    (tmp_path / "sends-raw.xml.txt").write_text("a\n1\n")
    (tmp_path / "sends.sql").write_text("SELECT * FROM read_csv('sends-raw.xlsx.csv', all_varchar = true)")
    taken = find_sources(Settings(), list(PUSHED), [tmp_path])
    assert [source.path.name for source in taken.found["sends"]] == ["sends-raw.xml.txt", "sends.sql"]
    assert not taken.unread
