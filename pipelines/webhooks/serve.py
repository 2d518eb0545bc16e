"""Runs the receiver: its server, the writer, signs of life, a publish every minute, and a clean stop.

On SIGTERM or Ctrl-C, the receiver accepts no more connections, answers requests under way, writes waiting events, and
publishes once more. A second signal ends it immediately; every event that was answered with 2xx is on the disk then
too. What does not belong here: the answers (`receive`), and how events are published (the caller passes a function).
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import h11
import uvicorn
import uvloop
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipelines.errors import SettingsError, StorageError, TracklySyncError, UsageError
from pipelines.settings import Settings
from pipelines.text.urls import is_loopback
from pipelines.webhooks.at_work import at_work
from pipelines.webhooks.queue.store import open_store
from pipelines.webhooks.queue.writer import QueueFull, Writer
from pipelines.webhooks.receive import Receiver, Rules

PUBLISH_SECONDS = 60.0
_BEAT_SECONDS = 30.0
_DRAIN_SECONDS = 30
_BACKLOG = 512
_FIRST_HANDED = 3
"""The first file descriptor of sd_listen_fds(3)."""

_WORK_SHARE = 10
"""Publishing may take at most this part of the time; slow publishes are made less often."""

HEAD_SECONDS = 20.0
MOST_CONNECTIONS = 512
"""Below the default limit of open files, 1,024."""

_log = logging.getLogger(__name__)


class Protocol(H11Protocol):
    """uvicorn's protocol with two additional limits: on connections, and on the time for a request's head.

    A connection is closed if the head of a request does not arrive in time.
    """

    head_seconds = HEAD_SECONDS
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        self._let_be()

    def _watch(self) -> None:
        """Start the time limit for a head, or stop it when the head is there."""
        if self.conn.their_state is not h11.IDLE:
            self._let_be()
        elif self._head is None:
            self._head = self.loop.call_later(self.head_seconds, self._give_up)

    def _let_be(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        self._head = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Intervals, in seconds."""

    publish: float = PUBLISH_SECONDS
    beat: float = _BEAT_SECONDS


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals."""
        yield


def listen(settings: Settings, host: str, port: int) -> socket.socket:
    """Return a listening socket, or the one that systemd has passed.

    Args:
        settings: whether there is a secret.
        host: host name or address.
        port: 0 for any free port.

    Raises:
        SettingsError: there is no secret, and the host is beyond loopback, so that anyone could forge events.
        UsageError: the address cannot be used.
    """
    handed = _handed_over()
    if handed is not None:
        host = str(handed.getsockname()[0])
    if not settings.webhook_secrets and not is_loopback(f"http://{_bracketed(host)}"):
        if handed is not None:
            handed.close()
        raise SettingsError(
            f"TRACKLY_WEBHOOK_SECRET is not set; without it the receiver listens on loopback only, not on {host}.",
            "Set it to the secret of Trackly's Settings > Webhooks, or listen on 127.0.0.1.",
        )
    if handed is not None:
        return handed
    try:
        family, kind, *_, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        return _bound(socket.socket(family, kind), address)
    except OSError as error:
        raise UsageError(
            f"{host} port {port} cannot be used: {error.strerror}.", "Name others with --host and --port."
        ) from None


def _handed_over() -> socket.socket | None:
    """Return the socket that systemd holds open across restarts; usually None."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=_FIRST_HANDED)


def _bound(listener: socket.socket, address: Any) -> socket.socket:
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def serve(
    settings: Settings,
    listener: socket.socket,
    publish: Callable[[], object],
    rhythm: Rhythm | None = None,
    begun: Callable[[Callable[[], None]], None] | None = None,
) -> None:
    """Receive until SIGTERM or SIGINT.

    Args:
        settings: see `Settings`.
        listener: from `listen`.
        publish: publishes new events into the warehouse.
        rhythm: intervals.
        begun: called with a function that stops the server, once it serves, for callers in other threads.

    Raises:
        StorageError: the queue cannot be opened.
    """
    with listener, at_work(settings.data_dir), open_store(settings) as store:
        store.beat(serving=True)
        writer = Writer(store)
        try:
            app = Receiver(writer, Rules.of(settings))
            uvloop.run(_serve(app, listener, writer, (publish, rhythm or Rhythm()), begun))
        finally:
            listener.close()
            writer.close()
        _once(publish)
        with suppress(StorageError):  # on a full disk, this cannot be written either
            store.beat(serving=False)


async def _serve(
    app: Receiver,
    listener: socket.socket,
    writer: Writer,
    publishing: tuple[Callable[[], object], Rhythm],
    begun: Callable[[Callable[[], None]], None] | None,
) -> None:
    server = _Server(_config(app))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if server.should_exit:
            os._exit(128 + signal.SIGTERM)
        server.should_exit = True

    if begun is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
    else:

        def stop_from_elsewhere() -> None:
            loop.call_soon_threadsafe(stop)

        begun(stop_from_elsewhere)
    publish, rhythm = publishing
    chores = [
        asyncio.create_task(_publish(publish, rhythm.publish)),
        asyncio.create_task(_beat(writer, rhythm.beat)),
    ]
    try:
        await server.serve([listener])
    finally:
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await asyncio.to_thread(writer.close)


def _config(app: Receiver) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_level="critical",  # its warnings quote nothing, but every port scan would cause some
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


async def _publish(publish: Callable[[], object], seconds: float) -> None:
    loop = asyncio.get_running_loop()
    pause = seconds
    while True:
        await asyncio.sleep(pause)
        started = loop.time()
        await asyncio.shield(asyncio.to_thread(_once, publish))
        pause = max(seconds, _WORK_SHARE * (loop.time() - started))


def _once(publish: Callable[[], object]) -> None:
    """Publish; log errors and continue, since the events are in the queue."""
    try:
        publish()
    except TracklySyncError as error:
        _log.warning("Events could not be published; they stay in the queue: %s", error)
    except Exception as error:  # noqa: BLE001 - a defect there must not stop the receiver
        _log.error("Events could not be published; they stay in the queue: %s", type(error).__name__)


async def _beat(writer: Writer, seconds: float) -> None:
    """Give regular signs of life that events can be stored, for other processes."""
    while True:
        await asyncio.sleep(seconds)
        with suppress(QueueFull, StorageError):  # logged by the writer
            await writer.write(None)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
