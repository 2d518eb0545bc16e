"""The command line in a folder of the test's own, as processes or in this one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from beginnings import first_pulls, seeded
from commands import Done, trackly_sync

from pipelines.cli.app import app
from pipelines.sandbox import API_KEY, Account, Server
from pipelines.settings import Settings

Sync = Callable[..., Done]


@pytest.fixture
def account() -> Account:
    """A page of contacts: each command reads or writes little."""
    return seeded(400)


@pytest.fixture(scope="session")
def first_pull(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]
) -> Callable[[tuple[str, ...]], Path]:
    """As elsewhere, of this account."""
    return first_pulls(tmp_path_factory, "first-of-a-page", 400, settings_of)


@pytest.fixture
def environment(server: Server, tmp_path: Path) -> dict[str, str]:
    """An environment that points at the served account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKLY_")}
    return {
        **kept,
        "TRACKLY_API_KEY": API_KEY,
        "TRACKLY_BASE_URL": server.url,
        "TRACKLY_DATA_DIR": str(tmp_path / "data"),
        "TRACKLY_RETRY_SECONDS": "3",
        "COLUMNS": "80",
    }


@pytest.fixture
def sync_apart(environment: dict[str, str], tmp_path: Path) -> Sync:
    """As `sync`, as a process of its own: for what comes of the process, not of the command."""

    def run(*arguments: str, **changes: str | None) -> Done:
        merged = {**environment, **changes}
        env = {name: value for name, value in merged.items() if value is not None}
        return trackly_sync(arguments, env, tmp_path)

    return run


@pytest.fixture
def sync(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Sync:
    """Runs `trackly-sync` in an empty folder; keyword arguments change the environment, None removes.

    In this process, which takes less processor time than one of its own.
    """

    def run(*arguments: str, **changes: str | None) -> Done:
        with monkeypatch.context() as patch:
            for name, value in {**environment, **changes}.items():
                if value is None:
                    patch.delenv(name, raising=False)
                else:
                    patch.setenv(name, value)
            patch.chdir(tmp_path)
            capfd.readouterr()
            umask = os.umask(0o022)  # a process would take its own away with it
            try:
                with pytest.raises(SystemExit) as end:
                    app([*arguments], prog_name="trackly-sync")
            finally:
                os.umask(umask)
        assert isinstance(end.value.code, int)
        return Done(arguments, end.value.code, *capfd.readouterr())

    return run
