"""Lists every file below a history folder, with the reason if it may not be opened, such as a pipe or a link out.

No file is opened here, because opening a pipe can block. What does not belong here: the dataset of a file (`find`),
and its content (`parse.relation`).
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pipelines.errors import UsageError

MOST_FILES = 100_000
"""Most files and folders below a folder; no history has so many. Links can make many paths of a few files."""

LEADS_OUT = "is a link that leads out of the history folder; TRACKLY_FOLLOW_LINKS=on follows it"
NOWHERE = "is a link to a file that does not exist"
LOOP = "is a link that leads back to itself"
NO_FILE = "is a pipe, a socket or a device, not a file"
_OTHER_SYSTEM = "cannot be examined"


@dataclass(frozen=True, slots=True)
class Entry:
    """A path below a folder.

    Attributes:
        path: the path as it was reached, links not resolved.
        problem: why the file may not be opened, as the end of a sentence that begins with its name; empty for a plain
            file. A folder is an entry only if it has a problem.
    """

    path: Path
    problem: str = ""


HIDDEN = (".", "_")
"""First characters of names that are skipped: hidden files and folders, and those that a person excluded."""


def walk(
    root: Path, *, follow_links: bool, on_hidden: Callable[[Path], None] = lambda _: None
) -> Iterator[Entry]:
    """Yield the files below a folder in the order of their names, except hidden files and files in hidden folders.

    Args:
        root: the folder; the operator named it, so it may itself be a link.
        follow_links: whether links may lead out of the folder.
        on_hidden: called with each file or folder that is skipped because of its name.

    Raises:
        UsageError: there are more than MOST_FILES.
        OSError: a folder cannot be read.
    """
    top = root.resolve(strict=True)
    steps = count(1)

    def below(folder: Path, above: tuple[Path, ...]) -> Iterator[Entry]:
        with os.scandir(folder) as listing:
            names = sorted(entry.name for entry in listing)
        for name in names:
            if name.startswith(HIDDEN):
                on_hidden(folder / name)
                continue
            if next(steps) > MOST_FILES:
                raise UsageError(
                    f"{root} holds more than {MOST_FILES:,} files.",
                    "Keep the history in a folder of its own.",
                )
            path = folder / name
            problem = problem_of(path, top, follow_links=follow_links)
            if problem or not path.is_dir():
                yield Entry(path, problem)
            elif (real := path.resolve()) in above:
                yield Entry(path, LOOP)
            else:
                yield from below(path, (*above, real))

    yield from below(root, (top,))


def problem_of(path: Path, root: Path, *, follow_links: bool) -> str:
    """Return why a path may not be opened as a file of the folder, by its present state; empty if it may be opened.

    Call this directly before reading: the file may have been replaced since it was listed.

    Args:
        path: the file, or a folder.
        root: the folder that it belongs to; the path itself if the operator named it.
        follow_links: whether links may lead out of the folder.
    """
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except FileNotFoundError:
        return NOWHERE if path.is_symlink() else "is not there any more"
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        looped = isinstance(error, RuntimeError) or path.is_symlink()
        return LOOP if looped else _OTHER_SYSTEM
    if not follow_links and not target.is_relative_to(root.resolve()):
        return LEADS_OUT
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else NO_FILE
