"""The documentation as it is built: what a reader sees, not the Markdown."""

import importlib.util
import json
import os
import subprocess
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from pipelines.cli import error_messages

ROOT = Path(__file__).parents[2]
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
    if not MKDOCS.exists():
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


@pytest.mark.parametrize(
    ("word", "page"),
    [
        ("docker", "schedule/"),
        ("cron", "schedule/"),
        ("dbt", "query/"),
        ("pandas", "elsewhere/"),
        ("Metabase", "elsewhere/"),
    ],
)
def test_search_finds(site: Path, word: str, page: str) -> None:
    """What people look for first is in the index of the search, under the page that is about it."""
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    found = {
        entry["location"].partition("#")[0]
        for entry in index["docs"]
        if word in entry["title"] + entry["text"]
    }
    assert page in found


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
    above, marker, _ = text.partition(error_messages.MARKER)
    assert marker
    assert text == error_messages.page(above)
    known = {found.message for found in error_messages.messages()}
    causes = [line.removeprefix("### ").strip("`") for line in above.splitlines() if line.startswith("### ")]
    assert len(causes) > 8
    assert set(causes) <= known
