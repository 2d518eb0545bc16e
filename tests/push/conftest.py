"""History files for the account of tests/conftest.py, and its state as the oracle."""

import json
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

from pipelines.sandbox import Account
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[..., Path]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The folder that history is read from."""
    folder = tmp_path / "data" / "history"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def write(history: Path) -> Write:
    """Write rows as NDJSON under a name."""

    def write(name: str, rows: list[Row]) -> Path:
        path = history / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def some_sends(account: Account) -> Callable[[int], list[Row]]:
    """Good sends to contacts of the account."""
    contacts = account.contacts()

    def some(number: int) -> list[Row]:
        return [
            {
                "id": f"m{n:06}",
                "to_number": contacts[n % len(contacts)]["phone_number"],
                "timestamp": "2024-05-01T10:00:00Z",
                "list_number": contacts[n % len(contacts)]["list_number"],
            }
            for n in range(number)
        ]

    return some


@pytest.fixture
def offer(account: Account) -> str:
    """An active offer."""
    return next(str(offer["id"]) for offer in account.offers if offer["status"] == "active")


def posts(account: Account) -> int:
    """How many writes the account has seen."""
    return sum(request.method == "POST" for request in account.log)


@pytest.fixture
def posted(account: Account) -> Callable[[], int]:
    """How many writes the account has seen so far."""
    return lambda: posts(account)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of this test run's own, on loopback; its URL without a database."""
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

    call(str(folder / "initdb"), "-D", str(root / "data"), "-U", "trackly", "-A", "trust", "--no-sync")
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


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings with a ledger on each of the two databases."""
    if request.param == "sqlite":
        return settings
    return settings.model_copy(update={"ledger_url": request.getfixturevalue("database")})
