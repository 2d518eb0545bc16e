"""Serves an account on loopback: during a test or the demo, or until it is stopped."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from pipelines.sandbox.account import Account
from pipelines.sandbox.faults.abort import Protocol
from pipelines.sandbox.faults.kinds import Faults
from pipelines.sandbox.serving.app import PREFIX, App

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        url: the base URL for TRACKLY_BASE_URL.
        faults: the faults in force; change them at any time.
    """

    url: str
    faults: Faults


@contextmanager
def running(account: Account, faults: Faults | None = None, port: int = 0) -> Iterator[Server]:
    """Serve an account from a thread of this process during a block.

    Args:
        account: the account; it may be read and changed meanwhile.
        faults: faults to begin with.
        port: 0 for any free port.
    """
    faults = faults or Faults()
    listener = _listen(port)
    server = _server(account, faults)
    thread = threading.Thread(target=server.run, args=([listener],), name="sandbox")
    thread.start()
    try:
        yield Server(f"http://{HOST}:{listener.getsockname()[1]}{PREFIX}", faults)
    finally:
        server.should_exit = True
        server.force_exit = True  # do not wait for connections kept alive
        thread.join()
        listener.close()


def serve_forever(account: Account, faults: Faults, listener: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        account: the account.
        faults: the current faults.
        listener: from `listen`.
    """
    try:
        _server(account, faults).run([listener])
    finally:
        listener.close()


def listen(port: int) -> tuple[socket.socket, str]:
    """Return a listening socket on loopback, and its base URL.

    Raises:
        OSError: the port is taken.
    """
    listener = _listen(port)
    return listener, f"http://{HOST}:{listener.getsockname()[1]}{PREFIX}"


def _listen(port: int) -> socket.socket:
    return socket.create_server((HOST, port), backlog=128)


def _server(account: Account, faults: Faults) -> uvicorn.Server:
    config = uvicorn.Config(
        App(account, faults),
        http=Protocol,
        ws="none",
        lifespan="off",
        log_level="critical",  # truncated bodies are on purpose
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
