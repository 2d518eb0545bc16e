"""The receiver as a process: killed, out of room, stopped. What it answered with 2xx is in the warehouse once."""

import http.client
import json
import resource
import signal
import socket
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from commands import started as command
from forked import Forked
from oracle import query
from processes import measuring, process
from receiving import SECRET, Poster, delivery, encoded, settings_of, signed

from pipelines.settings import Settings
from pipelines.warehouse.webhook_events import publish_events

SERVE = """
from pipelines.settings import load_settings
from pipelines.warehouse.webhook_events import publish_events
from pipelines.webhooks.serve import listen, serve
settings = load_settings()
listener = listen(settings, "127.0.0.1", {port})
serve(settings, listener, lambda: publish_events(settings))
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def started(settings: Settings, port: int, before: str = "") -> Forked:
    """A receiver, once it answers."""
    receiver = process(before + SERVE.format(port=port), settings, TRACKLY_WEBHOOK_SECRET=SECRET)
    until_it_answers(receiver, port)
    return receiver


def until_it_answers(receiver: Forked, port: int) -> None:
    while True:
        assert receiver.poll() is None, receiver.stderr.read_text()
        with suppress(OSError), closing(Poster(port)) as poster:
            if poster.ask("GET", "/health").status:
                return
        time.sleep(0.05)


def ended(receiver: Forked, number: signal.Signals) -> int:
    receiver.send_signal(number)
    _, _ = receiver.communicate(timeout=120)
    return receiver.returncode


def post_until_lost(port: int, first: int, answered: list[int]) -> None:
    """Post events one after the other, each until it is answered, and give up when nobody listens."""
    with closing(Poster(port)) as poster, suppress(OSError, http.client.HTTPException):
        answered.extend(n for n in range(first, first + 5_000) if poster.post(delivery(n)) == 200)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_receiver_that_is_killed_has_lost_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Hundreds of events are under way when it ends; each that was answered 2xx is there, and each there once."""
    settings, port = settings_of(tmp_path), free_port()
    lists: list[list[int]] = [[] for _ in range(8)]
    receiver = started(settings, port)
    threads = [
        threading.Thread(target=post_until_lost, args=(port, place * 10_000, answered))
        for place, answered in enumerate(lists)
    ]
    for thread in threads:
        thread.start()
    while sum(map(len, lists)) < 300:
        time.sleep(0.01)
    status = ended(receiver, number)
    for thread in threads:
        thread.join()
    assert status == (0 if number == signal.SIGTERM else -number)
    assert settings.warehouse.exists() == (number == signal.SIGTERM)
    publish_events(settings)
    found = query(
        settings.warehouse, "SELECT message_id, count(*), max(repeats) FROM webhook_events GROUP BY ALL"
    )
    assert {(count, repeats) for _, count, repeats in found} == {(1, 0)}
    answered = {f"m{number:07}" for some in lists for number in some}
    stored = {message for message, *_ in found}
    assert answered <= stored
    if number == signal.SIGTERM:
        assert answered == stored
    else:  # of each client, one event may be stored whose answer got lost
        assert len(stored - answered) <= len(lists)


def post_all(port: int, numbers: range, answered: list[int]) -> None:
    """Post events one after the other, each again until it is answered with 2xx, as Trackly does."""
    while len(answered) < len(numbers):
        with suppress(OSError, http.client.HTTPException), closing(Poster(port)) as poster:
            answered.extend(n for n in numbers[len(answered) :] if poster.post(delivery(n)) == 200)
        time.sleep(0.02)


def test_on_postgresql_a_receiver_that_is_killed_and_started_again_has_lost_nothing(
    tmp_path: Path, database: str
) -> None:
    """The queue on the ledger's server: killed twice among hundreds of events, and each is there once."""
    settings, port = settings_of(tmp_path, ledger_url=database), free_port()
    lists: list[list[int]] = [[] for _ in range(6)]
    receiver = started(settings, port)
    threads = [
        threading.Thread(target=post_all, args=(port, range(place * 1_000, place * 1_000 + 80), answered))
        for place, answered in enumerate(lists)
    ]
    for thread in threads:
        thread.start()
    for reached in (120, 320):
        while sum(map(len, lists)) < reached:
            time.sleep(0.005)
        assert ended(receiver, signal.SIGKILL) == -signal.SIGKILL
        receiver = started(settings, port)
    for thread in threads:
        thread.join()
    assert ended(receiver, signal.SIGTERM) == 0
    assert not (settings.data_dir / "webhooks.db").exists()
    found = query(settings.warehouse, "SELECT message_id, count(*) FROM webhook_events GROUP BY 1 ORDER BY 1")
    assert found == [(f"m{number:07}", 1) for answered in lists for number in answered]
    assert sum(map(len, lists)) == 480


def test_a_disk_that_is_full_loses_nothing(tmp_path: Path) -> None:
    """Where files may not grow, events are 503 with Retry-After; what was answered 2xx is there afterwards."""
    settings, port = settings_of(tmp_path), free_port()
    receiver = started(
        settings, port, "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
    )
    answers: dict[int, int] = {}
    with closing(Poster(port)) as poster:
        for number in range(60):
            body = encoded(delivery(number, filler="f" * 20_000))
            reply = poster.ask("POST", "/", body, signed(body))
            answers[number] = reply.status
            assert (reply.getheader("Retry-After") is not None) == (reply.status == 503)
    assert {200, 503} == set(answers.values())
    assert ended(receiver, signal.SIGKILL) == -signal.SIGKILL
    publish_events(settings)
    found = query(settings.warehouse, "SELECT message_id FROM webhook_events ORDER BY 1")
    assert found == [(f"m{number:07}",) for number, status in answers.items() if status == 200]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_the_command_serves_and_drains(tmp_path: Path) -> None:
    """`trackly-sync webhooks serve` tells where it listens, and SIGTERM publishes what came."""
    settings, port = settings_of(tmp_path), free_port()
    environment = {
        "TRACKLY_DATA_DIR": str(settings.data_dir),
        "TRACKLY_WEBHOOK_SECRET": SECRET,
        **measuring(),
    }
    with command(("webhooks", "serve", "--port", str(port)), environment, tmp_path) as receiver:
        until_it_answers(receiver, port)
        with closing(Poster(port)) as poster:
            assert poster.post(delivery(1)) == poster.post(delivery(1)) == 200
        receiver.send_signal(signal.SIGTERM)
        shown, complained = receiver.communicate(timeout=120)
        assert (receiver.returncode, complained) == (0, b"")
    assert f"127.0.0.1:{port}/".encode() in shown
    ((raw, repeats),) = query(settings.warehouse, "SELECT raw, repeats FROM webhook_events")
    assert (json.loads(raw), repeats) == (delivery(1), 1)
