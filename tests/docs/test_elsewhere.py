"""The pages about other tools and the library: their examples run, their functions are there with those arguments."""

import asyncio
import inspect
import re
import textwrap
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from oracle import query

from pipelines.pull.run import pull
from pipelines.sandbox import API_KEY, running, seed_account
from pipelines.settings import Settings, load_settings

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = re.compile(r"^ *```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PUBLIC = re.compile(r"^\| `(pipelines\.[\w.]+)` \| (?:`(.*?)`)? ?\|", re.MULTILINE)


def examples(page: str) -> list[str]:
    """The Python of a page, without what needs an account elsewhere."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [textwrap.dedent(found) for found in EXAMPLE.findall(text)]


def names_of(function: Any) -> str:
    """Arguments as the page writes them: names, with the stars; without our own, which begin with an underscore."""
    found: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name.startswith("_"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in "".join(found):
            found.append("*")
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        found.append(f"{stars}{parameter.name}")
    return ", ".join(found)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with a warehouse in data/, and the account that it is of."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with running(seed_account(contacts=60)) as server:
        settings = load_settings(api_key=API_KEY, base_url=server.url, data_dir=folder / "data")
        # as the page advises within an event loop
        asyncio.run(asyncio.to_thread(pull, settings, ["contacts", "lists", "offers", "revenue"], "run"))
        yield folder, settings


def test_public_functions_are_as_the_page_says() -> None:
    """Each is there, with these arguments in this order, and says what it does."""
    listed = PUBLIC.findall((DOCS / "library.md").read_text(encoding="utf-8"))
    assert len(listed) == 17
    for path, arguments in listed:
        module, _, name = path.rpartition(".")
        function = getattr(import_module(module), name)
        assert names_of(function) == arguments, path
        assert inspect.getdoc(function), path


def test_the_library_example_runs(
    place: tuple[Path, Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands, with the settings in the environment."""
    folder, settings = place
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TRACKLY_API_KEY", API_KEY)
    monkeypatch.setenv("TRACKLY_BASE_URL", settings.base_url)
    (example,) = examples("library.md")
    exec(example, {})  # noqa: S102 - our own page
    assert "'contacts': 60" in capsys.readouterr().out


def test_examples_of_other_tools_run(place: tuple[Path, Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB, pandas and Polars give the warehouse's figures, and a file of one's own can be made beside it."""
    folder, settings = place
    monkeypatch.chdir(folder)
    found: list[dict[str, Any]] = []
    for example in examples("elsewhere.md"):
        found.append({})
        exec(example, found[-1])  # noqa: S102 - our own page
    assert len(found) == 4
    of_duckdb, of_pandas, of_polars, _ = found
    of_duckdb["warehouse"].close()
    shown = [example for example in examples("elsewhere.md") if "read_only=True" in example]
    assert [example.count("SET TimeZone = 'UTC'") for example in shown] == [1, 1, 1]
    assert (
        str(of_pandas["frame"]["signup_date"].dt.tz)
        == of_polars["frame"].schema["signup_date"].time_zone
        == "UTC"
    )
    sums = dict(query(settings.warehouse, "SELECT list_id, sum(revenue_total) FROM contacts GROUP BY ALL"))
    assert of_pandas["per_list"].to_dict() == pytest.approx({at: float(of) for at, of in sums.items()})
    assert dict(of_polars["per_list"].iter_rows()) == sums
    assert query(folder / "mine.duckdb", "SELECT sum(contacts)::INT FROM lists") == [(60,)]
