"""The documentation as it is built: what a reader sees, not the Markdown."""

import importlib.util
import json
import os
import re
import subprocess
from importlib.machinery import SourceFileLoader
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
from installed import is_installed

from pipelines.cli import error_messages

ROOT = Path(__file__).parents[2]
OLDEST = 2025
"""The year from which dates in examples are; raise it when they look old."""

MKDOCS = ROOT / ".docs" / "bin" / "mkdocs"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    """The script that `make docs` looks at the pages with."""
    loader = SourceFileLoader("pages", str(ROOT / ".ci" / "pages"))
    spec = importlib.util.spec_from_loader("pages", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once, in a second of processor time, with the mkdocs that `make docs` installs."""
    if not is_installed(MKDOCS):
        pytest.skip("mkdocs is not installed: make docs")
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [MKDOCS, "build", "--quiet", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_left_unrendered_and_links_lead_somewhere(site: Path, check: ModuleType) -> None:
    """No Markdown stands there as it is; anchors are on their pages; nothing is loaded from another site."""
    assert check.problems(site) == []
    for path in site.rglob("*.html"):
        page = check.Page(path.read_text(encoding="utf-8"))
        loaded = [to for to in page.references if "//" in to and to.endswith((".js", ".css", ".woff2"))]
        assert not loaded, path
    home = (site / "index.html").read_text(encoding="utf-8")
    assert "content.code.copy" in home
    assert "diagrams/flow.svg" in home
    assert "Trackly Sync 0." in home or "Trackly Sync 1." in home, "the version, at the foot"
    assert '<div class="admonition tip">' in (site / "troubleshooting" / "index.html").read_text(
        encoding="utf-8"
    )


SEARCHES = (
    ("docker", "schedule/"),
    ("cron", "schedule/"),
    ("airflow", "schedule/"),
    ("kubernetes", "schedule/"),
    ("dbt", "query/"),
    ("pandas", "elsewhere/"),
    ("metabase", "elsewhere/"),
    ("postgres", "operations/"),
    ("webhook", "webhooks/"),
    ("rollback", "operations/"),
    ("phone", "data-dictionary/"),
    ("hash phones", "data-dictionary/"),
    ("TRACKLY_DATA_DIR", "troubleshooting/"),
)
"""What people look for first, and the page that is about it."""


def test_search_finds(site: Path) -> None:
    """It is in the index of the search, under its page.

    As the search does it: texts and the question are divided by the index's own separator, and each part of the
    question is how a part of the text begins.
    """
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    separator = re.compile(index["config"]["separator"])
    entries = [
        (
            entry["location"].partition("#")[0],
            set(separator.split(f"{entry['title']} {entry['text']}".lower())),
        )
        for entry in index["docs"]
    ]
    for words, page in SEARCHES:
        asked = [part for part in separator.split(words.lower()) if part]
        found = {
            location
            for location, parts in entries
            if all(any(part.startswith(ask) for part in parts) for ask in asked)
        }
        assert page in found, words


def test_the_navigation_is_beside_the_text_at_1200_pixels(site: Path) -> None:
    """The theme has it behind a button up to 1,219 pixels, in its styles and in its script."""
    for path in [*site.rglob("assets/**/main*.css"), *site.rglob("assets/**/bundle*.js")]:
        text = path.read_text(encoding="utf-8")
        assert "76.25em" not in text, path.name
        assert "72em" in text, path.name


def test_pages_that_have_every_word_come_later(site: Path) -> None:
    """Of the search's hits, the page about something comes before the list of all commands or columns."""
    entries = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    weights = {entry["location"].partition("#")[0]: entry.get("boost", 1) for entry in entries}
    assert {page for page, weight in weights.items() if weight < 1} == {
        "reference/",
        "data-dictionary/",
        "troubleshooting/",
    }


def test_every_diagram_is_an_image_of_ours(site: Path) -> None:
    """Nothing draws them in the browser, so they are there without a network; each has a text in place of it."""
    drawn = {path.name for path in (site / "diagrams").glob("*.svg")}
    used = set()
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        assert 'class="mermaid"' not in page, path
        for image in re.findall(r"<img [^>]*>", page):
            assert re.search(r'alt="[^"]{20,}"', image), image
            used |= set(re.findall(r"diagrams/([\w-]+\.svg)", image))
    assert used == drawn
    assert len(used) > 5


def test_the_header_lists_versions(site: Path) -> None:
    """The pages ask mike's list, and `make docs-release` makes it, under the version of the package."""
    assert '"version": {"default": "latest", "provider": "mike"}' in (site / "index.html").read_text(
        encoding="utf-8"
    )
    done = subprocess.run(
        ["make", "-n", "docs-release"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    release = ".".join(version("trackly-sync").split(".")[:2])
    assert f"mike deploy --update-aliases {release} latest" in done.stdout


def test_no_example_is_old() -> None:
    """Dates in texts and examples are of the last two years; a default of a setting is none."""
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.*")]:
        text = path.read_text(encoding="utf-8").replace("2020-01-01", "")
        years = {
            int(year)
            for year in re.findall(r"\b(20[12]\d)(?=[-/.]|\d{4}T)|/(20[12]\d) ", text)
            for year in year
            if year
        }
        assert all(year >= OLDEST for year in years), (path.name, years)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<p>```sql no-run SELECT 1```</p>", "not rendered"),
        ("<p>see [the page](other.md)</p>", "not rendered"),
        ("<p>!!! note</p>", "not rendered"),
        ('<a href="gone/">x</a>', "leads nowhere: gone/"),
        ('<a href="#gone">x</a>', "leads nowhere: #gone"),
        ('<a href="other.html#gone">x</a>', "leads nowhere: other.html#gone"),
    ],
)
def test_the_check_finds_what_is_wrong(tmp_path: Path, check: ModuleType, body: str, problem: str) -> None:
    """Each kind of mistake is found; the same signs in code are none."""
    (tmp_path / "other.html").write_text('<h1 id="here">x</h1>', encoding="utf-8")
    good = (
        '<code>```sql</code><pre>[a](b)</pre><a href="other.html#here">x</a><a href="https://x.example">y</a>'
    )
    (tmp_path / "index.html").write_text(good, encoding="utf-8")
    assert check.problems(tmp_path) == []
    (tmp_path / "index.html").write_text(f"{good}\n{body}", encoding="utf-8")
    found = check.problems(tmp_path)
    assert found
    assert all(problem in one for one in found)


def test_troubleshooting_has_the_messages_of_the_code() -> None:
    """After a change: python -m pipelines.cli.reference. What has a cause there is still a message of the code."""
    text = (ROOT / error_messages.DOCUMENT).read_text(encoding="utf-8")
    above, marker, below = text.partition(error_messages.MARKER)
    assert marker
    assert text == error_messages.rewritten(text)
    of_the_code = dict(re.findall(r"^\| `([^`]+)` \| `?([^`]*)`? \|$", below, re.MULTILINE))
    causes = [line.removeprefix("### ").strip("`") for line in above.splitlines() if line.startswith("### ")]
    assert len(causes) > 8
    emptied = "If the account was emptied and no longer has that revenue: "
    assert sum(emptied in remedy for remedy in of_the_code.values()) > 1, "a constant is read as its text"
    assert set(causes) <= of_the_code.keys()
