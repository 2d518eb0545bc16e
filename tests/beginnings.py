"""What several tests of a module begin with, made once: an account, and the data directory that belongs to it."""

import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipelines.sandbox import Account, running, seed_account
from pipelines.settings import Settings


@cache
def _seeded(contacts: int) -> bytes:
    return pickle.dumps(seed_account(contacts=contacts))


def seeded(contacts: int) -> Account:
    """An account as it begins; to read it takes a fifth of the time of making it."""
    account: Account = pickle.loads(_seeded(contacts))  # noqa: S301 - our own
    return account


def first_pulls(
    contacts: int, folders: Callable[[], Path], settings_of: Callable[..., Settings]
) -> Callable[[tuple[str, ...]], Path]:
    """Makes the data directory that the first pull of datasets leaves, as the run r1; each is made once.

    Args:
        contacts: of the account.
        folders: makes an empty folder.
        settings_of: from a URL and a data directory.
    """
    from pipelines.pull.run import pull  # noqa: PLC0415 - it is not light, and most rooms' tests do without

    @cache
    def made(names: tuple[str, ...]) -> Path:
        with running(seeded(contacts)) as server:
            settings = settings_of(server.url, folders() / "data")
            pull(settings, names, "r1")
        return settings.data_dir

    return made


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


def beginning(account: Account, settings: Settings, copy: Path) -> Beginning:
    """Keep a state.

    Args:
        account: as it is now; nothing may be hung into it.
        settings: whose data directory it is.
        copy: a folder that is not there yet.
    """
    shutil.copytree(settings.data_dir, copy)
    return Beginning(pickle.dumps(account), copy)
