"""What is seldom named as history, and what a query seldom reads."""

import pickle
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from pipelines.errors import StorageError, UsageError
from pipelines.push.checks.revenue.overlaps import _is_there
from pipelines.push.checks.validate import unchecked
from pipelines.push.files.find import _files
from pipelines.push.files.query_inputs import inputs_of
from pipelines.push.files.query_statement import parse
from pipelines.push.files.unusable import UnusableFilesError
from pipelines.push.findings.values import offending
from pipelines.push.ledger.db.engine import ledger_errors
from pipelines.settings import load_settings
from schemas.registry import PUSHED


def query(folder: Path, text: str) -> Path:
    path = folder / "sends.sql"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> tuple[Path, ...]:
    return inputs_of(query(folder, text), folder / "none", follow_links=False)


def test_a_file_of_no_known_format_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "sends.xlsx").touch()
    with pytest.raises(UsageError, match=r"sends.xlsx is in no known format\. Known: "):
        list(_files(tmp_path / "sends.xlsx", load_settings(_env_file=None, data_dir=tmp_path), print))


def test_a_query_may_name_its_own_folder_in_full_and_reads_no_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "x.csv").write_text("id\na\n")
    assert read(tmp_path, f"SELECT id FROM read_csv('{tmp_path}/x.csv', all_varchar = true)") == (
        tmp_path / "x.csv",
    )
    with pytest.raises(
        UsageError, match=r"which is a folder; name the files in it, such as 'folder/\*\.csv'"
    ):
        read(tmp_path, "SELECT id FROM read_csv('sub', all_varchar = true)")


def test_types_that_are_counted_out_are_declared(tmp_path: Path) -> None:
    """By place, as by name; those that are not named are guessed."""
    for types, declared in (("['VARCHAR']", None), ("{'id': 'VARCHAR'}", frozenset({"id"}))):
        (scan,) = parse(query(tmp_path, f"SELECT id FROM read_csv('x.csv', types = {types})")).scans
        assert scan.declared == declared


@pytest.mark.parametrize("text", ["+".join(["1"] * 900), "[" * 400 + "1" + "]" * 400])
def test_a_query_that_is_nested_too_deeply_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"is nested too deeply to be checked.*Nest it less deeply"):
        parse(query(tmp_path, f"SELECT {text} AS id"))


def test_files_that_cannot_be_used_pass_between_processes() -> None:
    """As an executor of Dagster has it: each error is still there, with its remedy."""
    error = UnusableFilesError([UsageError("a.", "b."), UsageError("c.", "d.")])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert str(again) == str(error)
    assert [(one.message, one.remedy) for one in again.errors] == [("a.", "b."), ("c.", "d.")]


def test_what_cannot_be_looked_up_is_told(tmp_path: Path) -> None:
    """Without a warehouse, and with one of a pull that had no lists."""
    for name in ("none.duckdb", "some.duckdb"):
        if name == "some.duckdb":
            duckdb.connect(str(tmp_path / name)).close()
        assert unchecked(PUSHED["sends"], tmp_path / name) == ("list_number", "list_id")
        assert unchecked(PUSHED["clicks"], tmp_path / name) == ("offer_id",)


def test_names_that_no_disk_has_and_rows_without_a_record(tmp_path: Path) -> None:
    assert not _is_there("x" * 5_000)
    assert _is_there(str(tmp_path))
    assert offending("id: is missing", None, ["id"], masked=True) == {}


def test_a_row_that_another_push_has_taken_is_no_fault_of_the_disk() -> None:
    cause: Any = Exception("UNIQUE constraint failed")
    with (
        pytest.raises(StorageError, match=r"already: another push has taken it\. Push again"),
        ledger_errors("x.db"),
    ):
        raise sa.exc.IntegrityError("INSERT", {}, cause)
