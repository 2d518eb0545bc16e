"""How many events a second the receiver makes durable, beside a floor that stores nothing: part of `make bench`.

First as fast as it goes, 32 connections at once, in turns with the floor. Then 500 a second for 75 seconds, over a
publish; the receiver is killed (SIGKILL) in between and started again, and whoever got no answer sends again, as
Trackly does. All runs on one machine, the senders too. Lost: answered with 2xx, and not in the warehouse.
"""

import asyncio
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from operator import truediv
from pathlib import Path

import duckdb
from harness import HERE, keep

EVENTS = 10_000
ROUNDS = 3
RATE = 500
SECONDS = 75
CONNECTIONS = 32
_SECRET = "benchmark"  # noqa: S105 - of a benchmark
_COMMAND = str(Path(sys.executable).parent / "trackly-sync")


def request(number: int) -> bytes:
    """A signed delivery event as it goes over the wire."""
    event = {
        "event": "delivery", "message_id": f"{number:08}", "to": f"+1555{number:07}", "list_number": "+15559000001",
        "status": "delivered", "status_detail": "DELIVERED_TO_HANDSET", "provider": "lime",
        "timestamp": "2026-11-20T10:00:00.000Z",
    }  # fmt: skip
    body = json.dumps(event).encode()
    signature = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\nX-Trackly-Signature: {signature}\r\n\r\n"
    return head.encode() + body


class Sender:
    """Connections that post numbered events, each until it is answered with 2xx."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered: set[int] = set()
        self.waits: list[float] = []
        self.again = 0
        self._due: asyncio.Queue[tuple[int, float]] = asyncio.Queue()

    async def send(self, numbers: range, rate: float | None = None) -> None:
        """Post all, at once or so many a second."""
        workers = [asyncio.create_task(self._work()) for _ in range(CONNECTIONS)]
        begun = time.perf_counter()
        for place, number in enumerate(numbers):
            if rate and (pause := begun + place / rate - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            self._due.put_nowait((number, time.perf_counter()))
        await self._due.join()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while True:
            number, due = await self._due.get()
            try:
                streams = streams or await asyncio.open_connection("127.0.0.1", self.port)
                answered = await _post(*streams, request(number))
            except (OSError, asyncio.IncompleteReadError):
                answered, streams = False, None
            if answered:
                self.answered.add(number)
                self.waits.append(time.perf_counter() - due)
            else:
                self.again += 1
                await asyncio.sleep(0.2)
                self._due.put_nowait((number, due))
            self._due.task_done()


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> bool:
    writer.write(content)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return head.startswith(b"HTTP/1.1 2")


def fastest(server: "subprocess.Popen[bytes]", port: int) -> tuple[float, float]:
    """Events a second, as fast as it goes; and the server's own processor time of each, in seconds."""
    sender = Sender(port)
    spent, begun = _processor_seconds(server), time.perf_counter()
    asyncio.run(sender.send(range(EVENTS)))
    seconds = time.perf_counter() - begun
    return EVENTS / seconds, (_processor_seconds(server) - spent) / EVENTS


def _processor_seconds(server: "subprocess.Popen[bytes]") -> float:
    """What a process has taken so far; Linux has that in /proc."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def steady(folder: Path, port: int) -> tuple[Sender, float, int]:
    """The rate with a kill in between.

    Returns:
        The sender; events answered a second, the kill included; how many of them are not in the warehouse.
    """

    async def both() -> Sender:
        sender = Sender(port)
        posting = asyncio.create_task(sender.send(range(RATE * SECONDS), RATE))
        await asyncio.sleep(SECONDS / 5)
        receiver.kill()
        receiver.wait()
        restarted.append(await asyncio.to_thread(_start, _receiver(port), folder, port))
        await posting
        return sender

    restarted: list[subprocess.Popen[bytes]] = []
    receiver = _start(_receiver(port), folder, port)
    begun = time.perf_counter()
    try:
        sender = asyncio.run(both())
        rate = len(sender.answered) / (time.perf_counter() - begun)
    finally:
        for process in (receiver, *restarted):
            process.send_signal(signal.SIGTERM)
            process.wait()
    with duckdb.connect(str(folder / "data" / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT message_id, count(*) FROM webhook_events GROUP BY ALL").fetchall()
    assert {count for _, count in rows} == {1}
    return sender, rate, len(sender.answered - {int(message) for message, _ in rows})


def main() -> None:
    """Measure, print, keep."""
    floors, receivers = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(ROUNDS):
            with _serving([sys.executable, str(HERE / "webhooks_floor.py")], folder) as served:
                floors.append(fastest(*served)[0])
            with _serving([_COMMAND, "webhooks", "serve", "--port"], folder / str(number)) as served:
                receivers.append(fastest(*served))
        sender, rate, lost = steady(folder / "steady", _free_port())
    waits = sorted(sender.waits)
    rates, costs = zip(*receivers, strict=True)
    ratios = " ".join(f"{ratio:.2f}" for ratio in sorted(map(truediv, floors, rates)))
    keep(
        "webhooks",
        [
            f"| receiver, {EVENTS:,} events as fast as it goes | {max(rates):,.0f} events/s | at least 500 |",
            f"| its processor time for an event | {min(costs) * 1e6:,.0f} µs | |",
            f"| events for a second of one core | {1 / min(costs):,.0f} | |",
            f"| floor that stores nothing | {max(floors):,.0f} events/s | |",
            f"| floor / receiver, {ROUNDS} rounds | {ratios} | |",
            f"| {RATE} events/s for {SECONDS} s with a kill: answered | {len(sender.answered):,} | all of them |",
            f"| the same, the kill included | {rate:,.0f} events/s | {RATE} |",
            f"| sent again, since no answer came | {sender.again:,} | |",
            f"| answered and not in the warehouse | {lost} | 0 |",
            f"| wait for the answer, median | {waits[len(waits) // 2] * 1000:.0f} ms | |",
            f"| wait for the answer, 99% | {waits[len(waits) * 99 // 100] * 1000:.0f} ms | |",
        ],
    )


def _receiver(port: int) -> list[str]:
    return [_COMMAND, "webhooks", "serve", "--port", str(port)]


@contextmanager
def _serving(command: list[str], folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    port = _free_port()
    process = _start([*command, str(port)], folder, port)
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


def _start(command: list[str], folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start a server; returns once it answers."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "TRACKLY_DATA_DIR": str(folder / "data"), "TRACKLY_WEBHOOK_SECRET": _SECRET}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return process
        time.sleep(0.05)
    raise SystemExit(f"{' '.join(command)} has ended")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
