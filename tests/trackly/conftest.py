"""A scripted HTTP server on a real socket, so that tests can reset, cut, delay and count what is on the wire."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pipelines.settings import Settings, load_settings

KEY = "trk_" + "k3y" * 10 + "zz"
Step = bytes | Callable[["Server", asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Plays one step per request; the last step plays for all that follow."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.steps = steps
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.under_way = 0
        self.most_under_way = 0
        self.gate = asyncio.Event()
        self.arrivals: asyncio.Queue[bytes] = asyncio.Queue()
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(h[15:]) for h in head.lower().split(b"\r\n") if h[:15] == b"content-length:"), 0
                )
                self.bodies.append(await reader.readexactly(length))
                self.heads.append(head)
                self.under_way += 1
                self.arrivals.put_nowait(head)
                self.most_under_way = max(self.most_under_way, self.under_way)
                step = self.steps[min(len(self.heads), len(self.steps)) - 1]
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                else:
                    await step(self, writer)
                self.under_way -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def settings(self, **overrides: Any) -> Settings:
        base = {"api_key": KEY, "base_url": f"http://127.0.0.1:{self.port}/api/v2", "_env_file": None}
        return load_settings(**(base | overrides))


class Wire:
    """What a test needs to write a script."""

    KEY = KEY

    @staticmethod
    def reply(body: object, status: int = 200, **headers: str) -> bytes:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(content)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + content

    @staticmethod
    async def reset(server: Server, writer: asyncio.StreamWriter) -> None:  # noqa: ARG004 - a step's signature
        """The request was read whole; then the connection is reset."""
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    @staticmethod
    async def hang(server: Server, writer: asyncio.StreamWriter) -> None:  # noqa: ARG004 - a step's signature
        """The request was read whole; no reply comes until the gate opens."""
        await server.gate.wait()

    @staticmethod
    def cut(content: bytes) -> Step:
        """Some bytes of a reply, then the end of the connection."""

        async def step(server: Server, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001 - a step's signature
            writer.write(content)
            await writer.drain()
            writer.close()

        return step

    @staticmethod
    def gated(content: bytes) -> Step:
        """A reply that waits for the gate."""

        async def step(server: Server, writer: asyncio.StreamWriter) -> None:
            await server.gate.wait()
            writer.write(content)

        return step

    @staticmethod
    @asynccontextmanager
    async def serve(*steps: Step, port: int = 0) -> AsyncIterator[Server]:
        server = Server(steps)
        listener = await asyncio.start_server(server.handle, "127.0.0.1", port)
        server.port = listener.sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            server.gate.set()
            listener.close()
            await _some_turns()  # a connection that was just accepted gets its writer
            for writer in server._writers:
                writer.transport.abort()
            await listener.wait_closed()
            await _some_turns()

    @staticmethod
    def closed_port() -> int:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return int(sock.getsockname()[1])


REAL_SLEEP = asyncio.sleep


async def _some_turns() -> None:
    """Let the event loop do what it has begun: to accept a connection takes it four turns, to close one takes two."""
    for _ in range(8):
        await REAL_SLEEP(0)


class Naps(list[float]):
    """The waits asked for, none of them waited."""

    def __init__(self) -> None:
        super().__init__()
        self.during: Callable[[], Awaitable[object]] | None = None

    async def sleep(self, delay: float, result: object = None) -> object:
        if delay > 0:
            self.append(delay)
            if self.during:
                await self.during()
        await REAL_SLEEP(0)
        return result


@pytest.fixture
def wire() -> type[Wire]:
    return Wire


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    """Backoff out of the wall clock: every wait is noted and takes no time."""
    noted = Naps()
    monkeypatch.setattr(asyncio, "sleep", noted.sleep)
    return noted
