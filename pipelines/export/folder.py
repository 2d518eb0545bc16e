"""Writes generated files into the user's folder: all or none, without overwriting other people's work.

The folder keeps a list of what was generated, `.trackly-sync.json`, with a digest of each file: an unchanged file may
be replaced. What does not belong here: the contents of files.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from pipelines.errors import UsageError
from pipelines.storage import storage_errors, usual_mode, write_durably

LIST = ".trackly-sync.json"
_FOLDER = "the folder that was given"


def write_files(folder: Path, contents: Mapping[str, str], *, force: bool = False) -> list[Path]:
    """Write generated files, replacing those of an earlier call.

    Args:
        folder: made if it is not there.
        contents: by path within the folder.
        force: whether to overwrite files that were changed, or are not ours.

    Returns:
        The files that are new or have changed.

    Raises:
        UsageError: a file that is not ours, or was changed, is in the way; nothing was written.
        StorageError: the disk refused.
    """
    mode = usual_mode()
    _check_folders({above for name in (LIST, *contents) for above in (folder / name).parents})
    with storage_errors("read", folder, _FOLDER):
        before = _written(folder)
        present = {name: _digest_of(folder / name) for name in contents}
    wanted = {name: _digest(text.encode()) for name, text in contents.items()}
    if not force:
        _refuse_foreign(folder, present, (wanted, before))
    changed = [name for name in contents if present[name] != wanted[name]]
    generated = msgspec.json.format(msgspec.json.encode(before | wanted))
    _write(folder, {name: contents[name].encode() for name in changed} | {LIST: generated}, mode)
    return [folder / name for name in changed]


def _write(folder: Path, files: Mapping[str, bytes], mode: int) -> None:
    for name, content in files.items():
        _make_folders(folder, (folder / name).parent, mode)
        write_durably(folder / name, content, setting=_FOLDER, mode=mode)


def _refuse_foreign(
    folder: Path, present: Mapping[str, str | None], ours: Sequence[Mapping[str, str]]
) -> None:
    """Refuse to overwrite files that someone else wrote or changed.

    Args:
        folder: where the files go.
        present: by path, the digest of the existing file; None without a file.
        ours: by path, digests of files that may be replaced.

    Raises:
        UsageError: a file is in the way.
    """
    there = {name: digest for name, digest in present.items() if digest is not None}
    foreign = [
        name for name, digest in there.items() if digest not in [digests.get(name) for digests in ours]
    ]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise UsageError(
            f"{folder / foreign[0]}{more} was changed, or not written by this command; nothing was written.",
            "Give another folder, or overwrite with --force.",
        )


def _check_folders(folders: Iterable[Path]) -> None:
    """Refuse a path that must be a folder but is not."""
    for one in sorted(folders):
        if one.is_symlink() and not one.exists():
            raise UsageError(
                f"{one} is a link that leads nowhere.", "Make the folder that it leads to, or give another."
            )
        if one.exists() and not one.is_dir():
            raise UsageError(f"{one} is no folder.", "Give a folder, or a name that is not there yet.")


def _written(folder: Path) -> dict[str, str]:
    """Return the digests of files generated before, by path; empty if the list cannot be read."""
    path = folder / LIST
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def _digest_of(path: Path) -> str | None:
    """Return the digest of an existing file; None without a file."""
    if path.is_symlink() or path.is_dir():
        return "other"
    try:
        return _digest(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _make_folders(top: Path, folder: Path, mode: int) -> None:
    """Make a folder and its parents below the top, with the mode of the user's files."""
    with storage_errors("make", folder, _FOLDER):
        for one in (*reversed([above for above in folder.parents if above.is_relative_to(top)]), folder):
            if not one.exists():
                one.mkdir(parents=True)
                one.chmod(mode | (mode & 0o444) >> 2)
