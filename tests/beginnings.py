"""What several tests begin with, made once for all workers of a run: an account, and its data directory."""

import os
import pickle
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from histories import write_rows

from pipelines.sandbox import Account, running, seed_account
from pipelines.settings import Settings


@cache
def _seeded(contacts: int) -> bytes:
    return pickle.dumps(seed_account(contacts=contacts))


def seeded(contacts: int) -> Account:
    """An account as it begins; to read it takes a fifth of the time of making it."""
    account: Account = pickle.loads(_seeded(contacts))  # noqa: S301 - our own
    return account


def made_once(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first worker fills that needs it, and that the others find.

    Args:
        folders: of the test run.
        name: of the folder; no other beginning has it.
        make: fills an empty folder.
    """
    base = folders.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, is_whole = shared / name, shared / f"{name}.made"
    with FileLock(shared / f"{name}.lock"):
        if not is_whole.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed here
            folder.mkdir()
            make(folder)
            is_whole.touch()
    return folder


def first_pulls(
    folders: pytest.TempPathFactory, name: str, contacts: int, settings_of: Callable[..., Settings]
) -> Callable[[tuple[str, ...]], Path]:
    """Makes the data directory that the first pull of datasets leaves, as the run r1; each is made once.

    Args:
        folders: of the test run.
        name: of such pulls.
        contacts: of the account.
        settings_of: from a URL and a data directory.
    """
    from pipelines.pull.run import pull  # noqa: PLC0415 - it is not light, and most rooms' tests do without

    def made(names: tuple[str, ...]) -> Path:
        def make(folder: Path) -> None:
            with running(seeded(contacts)) as server:
                pull(settings_of(server.url, folder / "data"), names, "r1")

        return made_once(folders, f"{name}-{'-'.join(names)}", make) / "data"

    return cache(made)


@dataclass(frozen=True)
class Beginning:
    """A state to begin with.

    Attributes:
        account: as it was then.
        data_dir: a copy of the data directory.
    """

    account: bytes
    data_dir: Path

    def restore(self, account: Account, settings: Settings) -> None:
        """Bring an account, which may be served already, and a data directory into this state."""
        account.__dict__.update(pickle.loads(self.account).__dict__)  # noqa: S301 - our own
        shutil.copytree(self.data_dir, settings.data_dir, dirs_exist_ok=True)


def beginning(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], Account]) -> Beginning:
    """A state that is made once.

    Args:
        folders: of the test run.
        name: of the state.
        make: in an empty folder, whose `data` is its data directory; returns the account, into which nothing is hung.
    """

    def keep(folder: Path) -> None:
        (folder / "account").write_bytes(pickle.dumps(make(folder)))

    folder = made_once(folders, name, keep)
    return Beginning((folder / "account").read_bytes(), folder / "data")


def sends_pushed(
    folders: pytest.TempPathFactory,
    name: str,
    settings_of: Callable[..., Settings],
    begun: Callable[[], Account],
    sends: Callable[[Account], Sequence[dict[str, Any]]],
) -> Beginning:
    """An account that has sends through us, by a ledger on SQLite.

    Args:
        folders: of the test run.
        name: of the state.
        settings_of: from a URL and a data directory.
        begun: makes the account.
        sends: what it is sent.
    """
    from pipelines.push.run import push  # noqa: PLC0415 - as in `first_pulls`

    def make(folder: Path) -> Account:
        account = begun()
        with running(account) as server:
            settings = settings_of(server.url, folder / "data")
            write_rows(settings.history / "sends.ndjson", sends(account))
            push(settings, ["sends"])
        return account

    return beginning(folders, name, make)
