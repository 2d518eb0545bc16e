"""Which files are taken, and what is said of those that cannot be."""

from pathlib import Path

import pytest

from pipelines.errors import UsageError
from pipelines.push.files.find import find_sources
from pipelines.settings import Settings, load_settings
from schemas.registry import PUSHED


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data")


def test_files_are_recognized_by_name_or_folder(settings: Settings, history: Path) -> None:
    """A file belongs to the dataset that its name begins with, else to the one whose folder it is in."""
    (history / "clicks" / "2024").mkdir(parents=True)
    names = ["sends.csv", "Sends-2024.parquet", "sends_eu.ndjson", "sends.b.jsonl", "clicks/2024/01.csv"]
    for name in [*names, "senders.csv", ".sends.csv", "readme.txt"]:
        (history / name).touch()
    found = find_sources(settings, list(PUSHED)).found
    assert {name: len(sources) for name, sources in found.items()} == {"sends": 4, "clicks": 1, "revenue": 0}
    assert [source.path for source in found["sends"]] == sorted(history / name for name in names[:4])


@pytest.mark.parametrize("made", [False, True])
def test_no_history_says_what_is_expected(settings: Settings, made: bool) -> None:
    """Without history the error names the folder and the files that belong in it."""
    if made:
        settings.history.mkdir(parents=True)
        (settings.history / "export.csv").touch()
    with pytest.raises(UsageError) as caught:
        find_sources(settings, list(PUSHED))
    assert str(settings.history) in str(caught.value)
    assert "sends, clicks or revenue" in str(caught.value)
    assert ("export.csv" in str(caught.value)) == made


def test_a_named_file_is_of_the_only_dataset_asked_for(settings: Settings, tmp_path: Path) -> None:
    """A file of any name can be pushed as the one dataset that is named."""
    (tmp_path / "export.csv").touch()
    found = find_sources(settings, ["clicks"], [tmp_path / "export.csv"]).found
    assert [source.dataset for source in found["clicks"]] == ["clicks"]


def test_where_nothing_can_be_read_each_file_is_named_with_its_reason(
    settings: Settings, tmp_path: Path
) -> None:
    """A history of a spreadsheet, or of a link that leads out, is no folder without history."""
    settings.history.mkdir(parents=True)
    (tmp_path / "elsewhere.csv").write_text("id\n")
    (settings.history / "sends.csv").symlink_to(tmp_path / "elsewhere.csv")
    (settings.history / "clicks.xlsx").touch()
    with pytest.raises(UsageError) as caught:
        find_sources(settings, ["sends", "clicks", "revenue"])
    assert "clicks.xlsx is a spreadsheet" in str(caught.value)
    assert "sends.csv is a link" in str(caught.value)
    assert "TRACKLY_FOLLOW_LINKS" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("2024-sends.csv", "sends"),
        ("export_sends.csv.gz", "sends"),
        ("send.parquet", "sends"),
        ("Click.ndjson", "clicks"),
        ("all revenues.xlsx", "revenue"),
        ("2024-clicks/part-0.csv", "clicks"),
        ("resends.csv", ""),
        ("~$sends.xlsx", ""),
        ("contacts.csv", ""),
        ("notes on sends.txt", ""),
        ("list of clickers.csv", ""),
    ],
)
def test_files_that_look_like_a_dataset_are_not_overlooked(settings: Settings, name: str, like: str) -> None:
    """A word for a dataset anywhere in the name of a file of data: it is named, and stops the push."""
    path = settings.history / name
    path.parent.mkdir(parents=True)
    path.touch()
    (settings.history / "sends.csv").touch()
    unread = find_sources(settings, list(PUSHED)).unread
    assert [(file.path, file.dataset) for file in unread] == ([(path, like)] if like else [])


def test_files_that_a_query_reads_are_not_complained_about(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """They are its input, whatever they are called."""
    settings.history.mkdir(parents=True)
    for name in ("export-sends.csv", "other.csv", "sends-raw.csv", "stray.csv"):
        (settings.history / name).write_text("id\n")
    query = "SELECT * FROM read_csv(['export-sends.csv', 'other.csv', 'sends-raw.csv'], all_varchar = true)"
    (settings.history / "sends.sql").write_text(query)
    found = find_sources(settings, list(PUSHED))
    assert ([source.path.name for source in found.found["sends"]], found.unread) == (["sends.sql"], ())
    assert ["stray.csv" in record.message for record in caplog.records] == [True]


def test_a_file_that_is_meant_to_be_left_out_can_say_so(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that begins with _ is not warned of; whoever asks for more learns how many there are, and the first."""
    settings.history.mkdir(parents=True)
    for name in ("sends.csv", "notes.csv", "_prices.csv", ".DS_Store"):
        (settings.history / name).write_text("id\n")
    with caplog.at_level("INFO"):
        find_sources(settings, list(PUSHED))
    warned, noted = caplog.records
    assert (warned.levelname, noted.levelname) == ("WARNING", "INFO")
    assert "notes.csv is not read" in warned.message
    assert "put _ in front of its name" in warned.message
    assert noted.message == "2 hidden files are not read: .DS_Store, _prices.csv."
