"""`trackly-sync export dbt`: a project that dbt builds, and that overwrites nobody's work."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from commands import trackly_sync
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from installed import is_installed
from oracle import reading

from pipelines.errors import UsageError
from pipelines.export.dbt import dbt_project
from pipelines.export.folder import LIST, write_files
from pipelines.export.yaml_text import yaml_text
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.structure.views import create_views
from pipelines.warehouse.swap import replacing

DBT = Path(sys.prefix) / "dbt"
_BUILD = """
import gc, json, os, sys
gc.disable()  # most of what it makes lives as long as it does
from dbt.cli.main import dbtRunner
build = ["--no-use-colors", "--no-write-json", "build"]
runs = [dbtRunner().invoke([*build, "--select", *sys.argv[2:]])]
os.chdir(sys.argv[1])
runs.append(dbtRunner().invoke(build))
assert all(run.success for run in runs), [run.exception for run in runs]
ended = {one.node.unique_id: str(one.status) for one in runs[0].result.results}
print(json.dumps(ended))
"""
"""Builds some of the project in its folder, then another one; its last line has how each node of the first ended."""

BUILT = ("trackly_revenue_by_list_and_month", *(
    f"source:trackly_{name}" for name in ("main.lists", "main.contacts", "imports.chunks", "imports.records")
))  # fmt: skip
"""What dbt itself builds and tests: a test of each kind, and the model. It takes a tenth of a second for each."""

HIDDEN = ("_ended", "_since")
SCALARS = st.none() | st.booleans() | st.integers() | st.text()
ROWS = """
INSERT INTO main.lists (id, status, synced_at, snapshot, page) VALUES
    (1, 'active', now(), 's', 0), (2, 'odd', now(), 's', 0);
INSERT INTO main.contacts (phone_number, list_id, active, send_count, click_count, revenue_total, conversion_count,
    synced_at, snapshot, page) VALUES ('+15550000001', 1, true, 1, 1, 5, 1, now(), 's', 0);
INSERT INTO sync.history_began VALUES ('lists', now()), ('contacts', now());
INSERT INTO imports.chunks (chunk, dataset, state, rows, bytes, success_count, error_count, duplicates_skipped,
    invalid_phones, intended_at) VALUES (1, 'revenue', 'answered', 1, 1, 1, 0, 0, 0, now());
INSERT INTO imports.records (dataset, identity, message_id, outcome, attempt, in_input, chunk, happened_at, revenue)
    VALUES ('revenue', 'r1', 'm1', 'accepted', 1, true, 1, TIMESTAMPTZ '2024-05-02 10:00:00+00', 12.5);
"""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with every table, and few rows; a list has a status that nobody knows."""
    path = tmp_path_factory.mktemp("dbt") / "it's a warehouse.duckdb"
    with replacing(path) as connection:
        complete(connection)
        connection.execute(ROWS)
        create_views(connection)
    return path


@pytest.fixture(scope="module")
def sources(warehouse: Path) -> dict[str, Any]:
    """The tables of all sources of its project by their names in the warehouse."""
    texts = [text for path, text in dbt_project(warehouse).items() if path.startswith("models/trackly/")]
    parsed = [yaml.load(text, yaml.CSafeLoader) for text in texts]
    return {
        f"{source['schema']}.{table['name']}": table
        for content in parsed
        for source in content["sources"]
        for table in source["tables"]
    }


def test_every_table_is_a_source_with_every_column(warehouse: Path, sources: dict[str, Any]) -> None:
    """All that the warehouse has, in its order, with the type and the comment that DuckDB shows too."""
    with reading(warehouse) as connection:
        rows = connection.execute(
            "SELECT schema_name || '.' || table_name, column_name, data_type, comment FROM duckdb_columns()"
            " WHERE NOT internal"
        ).fetchall()
    there: dict[str, dict[str, Any]] = {}
    for table, column, kind, comment in rows:
        if not table.endswith(HIDDEN):
            there.setdefault(table, {})[column] = (
                kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"),
                comment,
            )
    assert sources.keys() == there.keys()
    for name, table in sources.items():
        columns = {
            column["name"]: (column["data_type"], column["description"]) for column in table["columns"]
        }
        assert columns == there[name], name
        assert table["description"]
        assert "{{" not in json.dumps(table), "dbt would take it for Jinja"


def test_keys_outcomes_and_references_are_tested(sources: dict[str, Any]) -> None:
    """Of keys also that they are there; what the account decides only warns."""

    def tests(table: str, column: str) -> list[Any]:
        columns = {one["name"]: one for one in sources[table]["columns"]}
        return list(columns[column].get("data_tests", []))

    assert tests("main.lists", "id") == ["unique", "not_null"]
    assert sources["main.contacts"]["data_tests"] == [
        {"unique_key": {"arguments": {"columns": ["phone_number", "list_id"]}}}
    ]
    to_lists = {"to": "source('trackly_main', 'lists')", "field": "id"}
    assert tests("main.contacts", "list_id") == [
        "not_null",
        {"relationships": {"arguments": to_lists, "config": {"severity": "warn"}}},
    ]
    (outcomes,) = tests("imports.records", "outcome")
    assert outcomes["accepted_values"]["arguments"]["values"] == [
        "accepted", "duplicate", "rejected", "quarantined", "parked", "in_doubt", "pending",
    ]  # fmt: skip
    assert "config" not in outcomes["accepted_values"]
    to_chunks = {"to": "source('trackly_imports', 'chunks')", "field": "chunk"}
    assert tests("imports.records", "chunk") == [{"relationships": {"arguments": to_chunks}}]


def _of_ones_own(folder: Path, warehouse: Path) -> Path:
    """A project with the profile and the model of docs/elsewhere.md, and the warehouse where they look for it."""
    page = (Path(__file__).parents[2] / "docs" / "elsewhere.md").read_text(encoding="utf-8")
    section = page.partition("\n## dbt-duckdb\n")[2].partition("\n## ")[0]
    files = {
        name: text
        for text in re.findall(r"^```[^\n]+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"^(?:#|--) (profiles\.yml|models/\S+)$", text, re.MULTILINE)
    }
    assert len(files) == 2
    files["dbt_project.yml"] = "name: mine\nprofile: mine\nversion: '1.0'\n"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "data" / "warehouse.duckdb").symlink_to(warehouse)
    return folder


def _failing(table: str, tests: list[tuple[str, Any]]) -> str:
    """A query that counts for each test of a table the rows that fail it."""

    def one(column: str, test: Any) -> str:
        kind, given = next(iter(test.items())) if isinstance(test, dict) else (test, {})
        arguments = given.get("arguments", {})
        if kind in ("unique", "unique_key"):
            columns = ", ".join(arguments.get("columns", [column]))
            return f"count(*) FILTER (WHERE ({columns}) IS NOT NULL) - count(DISTINCT ({columns}))"
        if kind == "not_null":
            return f"count(*) FILTER (WHERE {column} IS NULL)"
        if kind == "accepted_values":
            return f"count(*) FILTER (WHERE {column} NOT IN {tuple(arguments['values'])})"
        schema, name = re.findall(r"'(?:trackly_)?(\w+)'", arguments["to"])
        return f"count(*) FILTER (WHERE {column} NOT IN (SELECT {arguments['field']} FROM {schema}.{name}))"

    return f"SELECT {', '.join(one(column, test) for column, test in tests)} FROM {table}"


def test_every_test_holds_in_the_warehouse(warehouse: Path, sources: dict[str, Any]) -> None:
    """Without dbt: what each names is there, and only the odd list fails any."""
    failed = set()
    with reading(warehouse) as connection:
        for table, content in sources.items():
            tests = [("", test) for test in content.get("data_tests", [])]
            tests += [
                (column["name"], test)
                for column in content["columns"]
                for test in column.get("data_tests", [])
            ]
            if tests:
                counts = connection.execute(_failing(table, tests)).fetchone() or ()
                failed |= {(table, column) for (column, _), n in zip(tests, counts, strict=True) if n}
    assert failed == {("main.lists", "status"), ("main.lists_history", "status")}


def test_dbt_builds_the_project(warehouse: Path, tmp_path: Path) -> None:
    """It reads all of it; tests of each kind pass but for that of the odd list; the example model has the revenue.

    In the same process a project with the profile of docs/elsewhere.md builds its model.
    """
    if not is_installed(DBT / "dbt"):
        pytest.skip("dbt is not installed: make .venv/.dbt")
    write_files(tmp_path / "project", dbt_project(warehouse))
    mine = _of_ones_own(tmp_path / "mine", warehouse)
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, mine, *BUILT],
        cwd=tmp_path / "project",
        env={**os.environ, "PYTHONPATH": str(DBT), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr
    assert "Deprecat" not in done.stdout
    ended = json.loads(done.stdout.splitlines()[-1])
    assert len(ended) > 10
    (warned,) = [name for name, status in ended.items() if status not in ("pass", "success")]
    assert warned.split(".")[2].startswith("source_accepted_values_trackly_main_lists_status")
    with duckdb.connect(str(tmp_path / "project" / "trackly_dbt.duckdb"), read_only=True) as connection:
        model = connection.execute("SELECT month::VARCHAR, revenue FROM trackly_revenue_by_list_and_month")
        assert [(month, float(revenue)) for month, revenue in model.fetchall()] == [("2024-05-01", 12.5)]
    with duckdb.connect(str(mine / "mine.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT list_id, contacts, revenue::INT FROM lists ORDER BY ALL").fetchall()
        assert rows == [(1, 1, 5), (2, 0, 0)]


def test_nobodys_work_is_overwritten(tmp_path: Path) -> None:
    """Files as they were written are replaced; where one was changed or is not ours, none is, unless forced."""
    folder = tmp_path / "dbt"
    written = write_files(folder, {"a.yml": "one", "models/b.yml": "two"})
    assert [path.name for path in written] == ["a.yml", "b.yml"]
    assert write_files(folder, {"a.yml": "one", "models/b.yml": "two"}) == []
    assert write_files(folder, {"a.yml": "one", "models/b.yml": "newer"}) == [folder / "models" / "b.yml"]
    (folder / "models" / "b.yml").write_text("mine")
    (folder / "c.yml").write_text("mine too")
    with pytest.raises(UsageError, match="and 1 more was changed"):
        write_files(folder, {"a.yml": "another", "models/b.yml": "two", "c.yml": "three"})
    assert (folder / "a.yml").read_text() == "one", "nothing was written"
    assert (folder / "c.yml").read_text() == "mine too"
    write_files(folder, {"a.yml": "another", "models/b.yml": "two", "c.yml": "three"}, force=True)
    assert [(folder / name).read_text() for name in ("a.yml", "models/b.yml", "c.yml")] == [
        "another",
        "two",
        "three",
    ]


def test_a_link_or_a_damaged_list_counts_as_not_ours(tmp_path: Path) -> None:
    """What a link leads to is not written to; without the list, files that differ are somebody's."""
    folder, elsewhere = tmp_path / "dbt", tmp_path / "elsewhere.yml"
    write_files(folder, {"a.yml": "one"})
    elsewhere.write_text("one")
    (folder / "b.yml").symlink_to(elsewhere)
    with pytest.raises(UsageError):
        write_files(folder, {"b.yml": "two"})
    assert elsewhere.read_text() == "one"
    (folder / LIST).write_text("{")
    with pytest.raises(UsageError):
        write_files(folder, {"a.yml": "two"})
    assert write_files(folder, {"a.yml": "one"}) == []


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,9}", fullmatch=True),
        st.recursive(
            SCALARS,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner),
            max_leaves=5,
        ),
        min_size=1,
        max_size=4,
    )
)
@hypothesis_settings(max_examples=20)
def test_what_is_written_is_yaml(content: dict[str, Any]) -> None:
    """Whatever stands in a description: it comes back as it was."""
    printable = json.loads("".join(c for c in json.dumps(content, ensure_ascii=False) if c.isprintable()))
    assert yaml.safe_load(yaml_text(printable)) == printable


def test_the_command_says_what_it_did_and_what_is_in_the_way(tmp_path: Path) -> None:
    """Others may read the project as the umask says, also where the data directory is private."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKLY_")}
    before = os.umask(0o022)
    try:
        done = trackly_sync(["export", "dbt", "here"], kept, tmp_path)
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert "Wrote 12 of 12 files to here" in done.stdout
    assert stat.S_IMODE((tmp_path / "here" / "profiles.yml").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "here" / "models").stat().st_mode) == 0o755
    assert "data/warehouse.duckdb" in (tmp_path / "here" / "profiles.yml").read_text()
    (tmp_path / "file").write_text("")
    refused = trackly_sync(["export", "dbt", "file"], kept, tmp_path)
    assert refused.returncode == 2
    assert "file is no folder" in refused.stderr


@pytest.mark.parametrize("given", ["", " "])
def test_a_folder_without_a_name_is_refused(given: str, tmp_path: Path) -> None:
    done = trackly_sync(("export", "dbt", given), {}, tmp_path)
    assert (done.returncode, "The folder has no name." in done.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", [".", "models", "models/marts"])
def test_what_is_no_folder_is_named(place: str, tmp_path: Path) -> None:
    """A link that leads nowhere, round in a circle, or to a file, at any level; a link to a folder is one."""
    folder = tmp_path / "project"
    link = folder / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match=f"{link} is a link that leads nowhere"):
        write_files(folder, {"models/marts/a.yml": "one"}, force=True)
    (tmp_path / "gone").write_text("a file")
    with pytest.raises(UsageError, match=f"{link} is no folder"):
        write_files(folder, {"models/marts/a.yml": "one"}, force=True)
    (tmp_path / "gone").unlink()
    (tmp_path / "gone").mkdir()
    assert write_files(folder, {"models/marts/a.yml": "one"})
    assert (folder / "models/marts/a.yml").read_text() == "one"
