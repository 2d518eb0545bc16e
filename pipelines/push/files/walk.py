"""Every file below a history folder, with the reason where it may not be opened: links that lead out, pipes, devices.

Nothing is opened here, so that a pipe cannot block. What does not belong here: which dataset a file is of
(`find`), and what its content is (`parse.relation`).
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pipelines.errors import UsageError

MOST_FILES = 100_000
"""Links inside a folder can make any number of paths of a few files; no history has so many, folders included."""

LEADS_OUT = "is a link that leads out of the history folder; TRACKLY_FOLLOW_LINKS=on follows it"
NOWHERE = "is a link to a file that is not there"
LOOP = "is a link that leads back to itself"
NO_FILE = "is a pipe, a socket or a device, not a file"
_OTHER_SYSTEM = "cannot be looked at"


@dataclass(frozen=True, slots=True)
class Entry:
    """A path below a folder.

    Attributes:
        path: as it was reached, links not resolved.
        problem: why it may not be opened, as the end of a sentence that begins with its name; empty for a plain
            file. A folder is an entry only with a problem.
    """

    path: Path
    problem: str = ""


HIDDEN = (".", "_")
"""What the names of files and folders begin with that are no history, by a program's custom or a person's choice."""


def walk(
    root: Path, *, follow_links: bool, on_hidden: Callable[[Path], None] = lambda _: None
) -> Iterator[Entry]:
    """The files below a folder in order of their names, without those that are hidden and what is in them.

    Args:
        root: the folder; the operator named it, so it may be a link itself.
        follow_links: whether links may lead out of it.
        on_hidden: called with each file or folder that is passed over for its name.

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
    """Why a path may not be opened as a file of the folder, by how it is now; empty where it may.

    For the moment before it is read: it may have been replaced since it was listed.

    Args:
        path: the file, or a folder.
        root: the folder that it belongs to; the path itself where the operator named it.
        follow_links: whether links may lead out of it.
    """
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except FileNotFoundError:
        return NOWHERE if path.is_symlink() else "is not there any more"
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop, until Python 3.12
        looped = isinstance(error, RuntimeError) or path.is_symlink()
        return LOOP if looped else _OTHER_SYSTEM
    if not follow_links and not target.is_relative_to(root.resolve()):
        return LEADS_OUT
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else NO_FILE
