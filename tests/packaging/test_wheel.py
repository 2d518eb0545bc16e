"""Installed from a wheel, everything works in any folder; what an index shows of it leads somewhere."""

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from processes import measuring, of_session
from shadows import write_shadows

from pipelines.settings import DEMO_MARKER

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "pipelines", "assets")
BUILD = "from setuptools.build_meta import build_wheel; build_wheel('.')"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this tree, built in a copy of it."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-c", BUILD], cwd=copy, check=True, capture_output=True)
    (built,) = copy.glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def bin_folder(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands of an environment are that holds the wheel; its libraries are this environment's."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    wheel.extractall(site)
    _compiled_as_here(site)
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    measured = ["import coverage; coverage.process_startup()"] if measuring() else []  # under `make coverage`
    (site / "libraries.pth").write_text("\n".join([*libraries, *measured]))
    script = home / "bin" / "trackly-sync"
    script.write_text(f"#!{home}/bin/python\nfrom pipelines.cli import main\nmain()\n")
    script.chmod(0o755)
    return home / "bin"


def _compiled_as_here(site: Path) -> None:
    """Give modules what this environment has compiled of the same text; to compile all of them takes seconds."""
    for path in (path for room in ROOMS for path in (site / room).rglob("*.py")):
        source = ROOT / path.relative_to(site)
        compiled = Path(cache_from_source(str(source)))
        if compiled.exists() and source.read_bytes() == path.read_bytes():
            shutil.copystat(source, path)
            copy = Path(cache_from_source(str(path)))
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(compiled, copy)


def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(wheel.read(name))


def test_the_wheel_holds_every_file_of_the_rooms_and_no_other(wheel: zipfile.ZipFile) -> None:
    """Marts, templates, migrations and the marks of typed packages too; no tests and no tools."""
    files = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == files
    (entry,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "trackly-sync = pipelines.cli:main" in wheel.read(entry).decode()


def test_an_index_shows_links_that_lead_somewhere(wheel: zipfile.ZipFile) -> None:
    """The README is there, without links to files that only the repository has; there are authors and addresses."""
    told = metadata(wheel)
    page = str(told.get_payload())
    assert "# Trackly Sync" in page
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    texts = re.findall(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)", readme)
    assert len(texts) > 10
    assert [text for text in texts if text not in page] == []
    assert [to for to in re.findall(r"\]\(([^)]+)\)", page) if not to.startswith(("https://", "#"))] == []
    for field in ("Author", "License-Expression", "Project-URL", "Classifier", "Keywords", "Requires-Python"):
        assert told[field], field


def test_with_a_repository_the_links_lead_there() -> None:
    namespace: dict[str, object] = {"__name__": "setup"}
    exec((ROOT / "setup.py").read_text(), namespace)  # noqa: S102 - it is ours, and no module that can be imported
    page = namespace["index_page"]("[a](docs/a.md#x) [b](https://b.example) [c](#c)", "https://r.example/x/")  # type: ignore[operator]
    assert page == "[a](https://r.example/x/blob/main/docs/a.md#x) [b](https://b.example) [c](#c)"


STEPS = (
    ("--version", 0),
    ("status --json", 0),
    ("rejects", 0),
    ("report", 0),
    ("export dbt", 0),
    ("runs", 0),
)
"""Commands, each with its exit code."""

_SCRIPT = """
import sys
import pipelines
from pipelines.cli import main

assert pipelines.__file__.startswith(sys.prefix), pipelines.__file__
for arguments, code in {steps}:
    sys.argv[1:] = arguments.split()
    try:
        main()
    except SystemExit as end:
        assert end.code == code, (arguments, end.code)
"""


def test_the_demo_runs_from_the_wheel_in_any_folder_and_again(tmp_path: Path, bin_folder: Path) -> None:
    """It runs without settings, also where one ran before, its query works, and it leaves no process behind.

    The folder has modules of our names, and a Dagster file. Beside the real account's .env the demo leaves that one's
    ledger and history alone, and no proxy keeps it from its own. Other commands read what it has left.
    """
    write_shadows(tmp_path)
    (tmp_path / "dagster.yaml").write_text("nonsense: [")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKLY_")}
    kept |= dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    kept["TRACKLY_LEDGER_URL"] = f"sqlite:///{tmp_path}/real.db"
    (tmp_path / "real").mkdir()
    (tmp_path / ".env").write_text(
        f"TRACKLY_LEDGER_URL=sqlite:///{tmp_path}/real.db\nTRACKLY_HISTORY_DIR=real\n"
    )
    (tmp_path / "demo").mkdir()
    for left in (DEMO_MARKER, "warehouse.duckdb"):
        (tmp_path / "demo" / left).write_text("of a demo before")
    command = str(bin_folder / "trackly-sync")
    with subprocess.Popen(
        [command, "demo", "--contacts", "1000"],
        cwd=tmp_path,
        env=kept,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        told, _ = demo.communicate(timeout=600)
    assert demo.returncode == 0
    assert "1,000" in told
    assert "accepted" in told
    assert "as of the pull, before the push: the next pull brings what was imported" in told
    assert of_session(demo.pid) == []
    assert not (tmp_path / "real.db").exists()
    assert (tmp_path / "demo" / "ledger.db").exists()
    assert (tmp_path / "demo" / DEMO_MARKER).exists()
    script = told.partition("-c ")[2].partition("\n\n")[0]
    answer = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -P -c {script}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "List 1" in answer.stdout
    (tmp_path / ".env").unlink()
    steps = bin_folder / "steps"
    steps.write_text(_SCRIPT.format(steps=STEPS))
    del kept["TRACKLY_LEDGER_URL"]
    done = subprocess.run(
        [str(bin_folder / "python"), str(steps)],
        cwd=tmp_path,
        env=kept | {"TRACKLY_DATA_DIR": "demo"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("trackly-sync 0.")
    assert (tmp_path / "demo" / "report.html").exists()
    assert (tmp_path / "dbt" / "dbt_project.yml").exists()
