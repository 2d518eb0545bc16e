"""The address of a demo's account while `demo --ui` serves it, in a locked file in the demo's folder.

What does not belong here: the account (`pipelines.sandbox`), and serving it (`cli.commands.demo`).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FILE = ".account-served"
_MOST_BYTES = 1_024


@contextmanager
def announced(data_dir: Path, url: str, key: str) -> Iterator[None]:
    """Announce the account's address for `served_account` during a block, if the file can be written.

    Args:
        data_dir: the demo's folder.
        url: where its account is.
        key: the made-up account's key, which is no secret.
    """
    path = data_dir / _FILE
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(handle, f"{url} {key}".encode())
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(handle)


def served_account(data_dir: Path) -> tuple[str, str] | None:
    """Return the URL and the key of a demo's account that is served now; None if there is none."""
    try:
        handle = os.open(data_dir / _FILE, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        url, _, key = os.read(handle, _MOST_BYTES).decode(errors="replace").partition(" ")
        return (url, key) if key else None
    finally:
        os.close(handle)
    return None
