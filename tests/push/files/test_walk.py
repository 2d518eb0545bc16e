"""Which paths of a history folder may be opened: links, pipes and loops are the point."""

import os
import socket
from pathlib import Path

import pytest

from pipelines.errors import UsageError
from pipelines.push.files import walk as module
from pipelines.push.files.walk import LEADS_OUT, LOOP, NO_FILE, NOWHERE, problem_of, walk


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the history, with a file."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "sends.csv").write_text("id\n", encoding="utf-8")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A history folder with a file."""
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / "sends.csv").write_text("id\n", encoding="utf-8")
    return folder


def seen(root: Path, *, follow_links: bool = False) -> dict[str, str]:
    return {str(e.path.relative_to(root)): e.problem for e in walk(root, follow_links=follow_links)}


def test_plain_files_are_listed_in_order_and_hidden_ones_are_not(root: Path) -> None:
    """Names that begin with a dot or an underscore are passed over, folders of such names too."""
    for name in ("b/c.csv", "a.csv", ".x.csv", "_temporary/d.csv", "b/.e/f.csv"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    assert list(seen(root)) == ["a.csv", "b/c.csv", "sends.csv"]


@pytest.mark.parametrize("kind", ["file", "folder", "link to a link", "relative"])
def test_links_that_lead_out_are_named_and_not_followed(root: Path, outside: Path, kind: str) -> None:
    """A link to anything outside is an entry with its problem, whatever it is a link to."""
    match kind:
        case "file":
            (root / "clicks.csv").symlink_to(outside / "sends.csv")
        case "folder":
            (root / "clicks.csv").symlink_to(outside)
        case "link to a link":
            (outside / "hop").symlink_to(outside / "sends.csv")
            (root / "clicks.csv").symlink_to(outside / "hop")
        case _:
            (root / "clicks.csv").symlink_to("../outside/sends.csv")
    assert seen(root) == {"clicks.csv": LEADS_OUT, "sends.csv": ""}


def test_links_that_lead_out_are_followed_where_that_is_set(root: Path, outside: Path) -> None:
    """With TRACKLY_FOLLOW_LINKS a linked folder is read like a folder, and a linked file like a file."""
    (root / "old").symlink_to(outside)
    (root / "clicks.csv").symlink_to(outside / "sends.csv")
    assert seen(root, follow_links=True) == {"clicks.csv": "", "old/sends.csv": "", "sends.csv": ""}


def test_a_link_inside_the_folder_is_followed(root: Path) -> None:
    """A link that stays inside needs no setting."""
    (root / "exports").mkdir()
    (root / "exports" / "a.csv").touch()
    (root / "clicks").symlink_to("exports")
    assert seen(root) == {"clicks/a.csv": "", "exports/a.csv": "", "sends.csv": ""}


@pytest.mark.parametrize("follow_links", [False, True])
def test_loops_end(root: Path, follow_links: bool) -> None:
    """A link to itself, to its own folder, or two that lead to each other: named, and the walk ends."""
    (root / "self").symlink_to("self")
    (root / "here").symlink_to(".")
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    (root / "none").symlink_to("nowhere")
    assert seen(root, follow_links=follow_links) == {
        "a": LOOP,
        "b": LOOP,
        "here": LOOP,
        "none": NOWHERE,
        "self": LOOP,
        "sends.csv": "",
    }


@pytest.mark.parametrize("follow_links", [False, True])
def test_pipes_sockets_and_devices_are_never_opened(root: Path, follow_links: bool) -> None:
    """They are named; a device by a link, since only the administrator can make one."""
    os.mkfifo(root / "clicks.csv")
    (root / "revenue.csv").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(root, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{folder}/s.csv")  # a socket's path may have only 100 characters
        os.close(folder)
        found = seen(root, follow_links=follow_links)
    assert found == {
        "clicks.csv": NO_FILE,
        "revenue.csv": NO_FILE if follow_links else LEADS_OUT,
        "s.csv": NO_FILE,
        "sends.csv": "",
    }


def test_the_folder_itself_may_be_a_link(tmp_path: Path, root: Path) -> None:
    """The operator named it."""
    (tmp_path / "linked").symlink_to(root)
    assert seen(tmp_path / "linked") == {"sends.csv": ""}


def test_a_file_that_became_a_link_is_noticed(root: Path, outside: Path) -> None:
    """What was a file when it was listed is looked at again before it is read."""
    path = root / "sends.csv"
    assert problem_of(path, root, follow_links=False) == ""
    path.unlink()
    path.symlink_to(outside / "sends.csv")
    assert problem_of(path, root, follow_links=False) == LEADS_OUT
    path.unlink()
    assert problem_of(path, root, follow_links=False) == "is not there any more"


def test_endless_paths_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links inside the folder can make more paths than anybody can read."""
    monkeypatch.setattr(module, "MOST_FILES", 500)
    for n in range(12):
        (root / f"d{n}").mkdir()
        for name in "ab":
            (root / f"d{n}" / name).symlink_to(f"../d{n + 1}")
    (root / "d12").mkdir()
    with pytest.raises(UsageError, match="more than 500 files"):
        list(walk(root, follow_links=False))
