"""What several rooms' tests share: an account, a server for it, settings that point at it, a PostgreSQL server."""

import gc
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from beginnings import first_pulls, made_once, seeded
from effort import THOROUGH
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from processes import measuring

from pipelines.push.stage import query_cage
from pipelines.sandbox import API_KEY, Account, Server, running
from pipelines.settings import Settings, load_settings

# A machine that is busy with other tests is slow, which says nothing about the code.
_busy = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("usual", _busy, max_examples=10)
hypothesis_settings.register_profile("thorough", _busy, max_examples=200)
hypothesis_settings.load_profile("thorough" if THOROUGH else "usual")


gc.disable()  # until all is collected: imports make a million objects and no garbage

for _name in [name for name in os.environ if name.startswith("TRACKLY_")]:
    del os.environ[_name]  # what modules and sessions share is made before a test's own environment


_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")  # to read a system's store takes 70 ms
_OUTSIDE = {
    *(f"TRACKLY_{name.upper()}" for name in Settings.model_fields),
    *_PROXIES,
    *map(str.lower, _PROXIES),
    *_AUTHORITIES,
}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the environment's settings, proxies and certificates, or a .env file of the checkout."""
    for name in _OUTSIDE & os.environ.keys():
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def pytest_collection_finish() -> None:
    """Have collected garbage out of the way; under `make coverage`, have the caged process measured as well."""
    if measuring():
        of_the_cage = query_cage.environment
        query_cage.environment = lambda: of_the_cage() | measuring()
    _set_collector()


def _set_collector() -> None:
    """Look for garbage among what tests make, not among a million objects that imports and collection have made."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)  # as the command line has it: a tenth of a small push else
    gc.enable()


@pytest.fixture
def account() -> Account:
    """A small account: three pages of contacts on five lists."""
    return seeded(2_500)


@pytest.fixture
def server(account: Account) -> Iterator[Server]:
    """The account, served."""
    with running(account) as server:
        yield server


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> Settings:
    """Settings for the served account, with a data directory of the test's own."""
    return settings_for(server.url, tmp_path / "data")


@pytest.fixture(scope="session")
def first_pull(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, ...]], Path]:
    """Makes the data directory that the first pull of `account` leaves, as the run r1; each is made once."""
    return first_pulls(tmp_path_factory, "first", 2_500, settings_for)


@pytest.fixture
def pulled(settings: Settings, first_pull: Callable[[tuple[str, ...]], Path]) -> None:
    """The account was pulled already, all but its campaigns."""
    shutil.copytree(first_pull(("contacts", "lists", "offers", "revenue")), settings.data_dir)


@pytest.fixture
def contacts_pulled(settings: Settings, first_pull: Callable[[tuple[str, ...]], Path]) -> None:
    """Of the account its contacts were pulled already."""
    shutil.copytree(first_pull(("contacts",)), settings.data_dir)


def settings_for(url: str, data_dir: Path, **more: Any) -> Settings:
    """Settings for a served account."""
    return load_settings(
        **{
            "api_key": API_KEY,
            "base_url": url,
            "data_dir": data_dir,
            "retry_seconds": 20.0,
            "settle_seconds": 0.0,
            **more,
        }
    )


@pytest.fixture(scope="session")
def settings_of() -> Callable[..., Settings]:
    """`settings_for`, for tests that serve an account of their own."""
    return settings_for


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of this worker's own, on loopback; its URL without a database."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    root = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path is short
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    as_user: list[str] = []
    if os.geteuid() == 0:  # it refuses to run as root
        shutil.chown(root, "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    folder = binaries[-1].parent

    def call(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")

    def initialize(made: Path) -> None:
        call(str(folder / "initdb"), "-D", str(root / "data"), "-U", "trackly", "-A", "trust", "--no-sync")
        subprocess.run(["cp", "-a", root / "data", made], check=True)

    empty = made_once(tmp_path_factory, "postgresql", initialize) / "data"
    if not (root / "data").exists():  # another worker has made it, and its owner is kept
        subprocess.run(["cp", "-a", empty, root], check=True)
    options = f"-p {port} -k {root} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=50"
    control = [str(folder / "pg_ctl"), "-D", str(root / "data"), "-w"]
    call(*control, "-l", str(root / "log"), "-o", options, "start")
    try:
        yield f"postgresql://trackly@127.0.0.1:{port}"
    finally:
        call(*control, "-m", "immediate", "stop")
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def database(postgres: str) -> str:
    """The URL of an empty database."""
    name = f"ledger_{uuid4().hex}"
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{postgres}/{name}"
