"""A running receiver of webhook events, and events to post to it."""

import hashlib
import hmac
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from oracle import named_rows

from pipelines.privacy import Privacy
from pipelines.settings import Settings, load_settings
from pipelines.webhooks.events import digest_of, kept_of
from pipelines.webhooks.queue.store import Arrival, StoredBody, existing_store, now, open_store
from pipelines.webhooks.serve import Rhythm, listen, serve

SECRET = "a-secret-of-tests"  # noqa: S105 - of tests
LIST = "+15559990000"
PHONE = "+15550000007"


def settings_of(folder: Path, **more: Any) -> Settings:
    return load_settings(**{"data_dir": folder / "data", "webhook_secret": SECRET, **more})


def event_rows(settings: Settings, table: str = "webhook_events") -> list[dict[str, Any]]:
    return named_rows(settings.warehouse, f"FROM {table} ORDER BY ALL")


def stored_bodies(settings: Settings) -> list[StoredBody]:
    with existing_store(settings) as found:
        assert found is not None
        return [one for batch in found.batches(0, found.state()["change"]) for one in batch]


def delivery(number: int, status: str = "delivered", **more: Any) -> dict[str, Any]:
    return {
        "event": "delivery", "message_id": f"m{number:07}", "to": f"+1555{number:07}", "list_number": LIST,
        "status": status, "status_detail": "DELIVERED_TO_HANDSET", "provider": "lime",
        "timestamp": f"2026-11-20T10:{number // 60 % 60:02}:{number % 60:02}.000Z", **more,
    }  # fmt: skip


def opt_out(phone: str, **more: Any) -> dict[str, Any]:
    at = "2026-11-20T12:00:00.000Z"
    return {
        "event": "unsubscribe", "phone_number": phone, "list_number": LIST, "keyword": "STOP", "timestamp": at, **more
    }  # fmt: skip


def arrive(settings: Settings, *bodies: Any, at: int | None = None, verified: bool = True) -> None:
    """Put bodies into the queue as the receiver does."""
    privacy = Privacy.of(settings)
    arrivals = [
        Arrival(digest_of(body, privacy), at or now(), verified, *kept_of(body, privacy))
        for body in map(encoded, bodies)
    ]
    with open_store(settings) as queue:
        queue.append(arrivals)


def encoded(event: Any) -> bytes:
    return event if isinstance(event, bytes) else json.dumps(event).encode()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Trackly-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


class Poster:
    """A client of a receiver, with one connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def close(self) -> None:
        self._connection.close()

    def post(self, event: Any, headers: dict[str, str] | None = None, path: str = "/hook") -> int:
        body = encoded(event)
        return self.ask("POST", path, body, signed(body) if headers is None else headers).status

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        self._connection.request(method, path, body, headers or {})
        reply = self._connection.getresponse()
        reply.read()
        return reply


@contextmanager
def receiving(
    settings: Settings, publish: Callable[[], object] = bool, rhythm: Rhythm | None = None
) -> Iterator[Poster]:
    """A receiver in a thread of this process; when the block ends it is drained as by SIGTERM."""
    listener = listen(settings, "127.0.0.1", 0)
    port, stops, serves = listener.getsockname()[1], [], threading.Event()

    def begun(stop: Callable[[], None]) -> None:
        stops.append(stop)
        serves.set()

    thread = threading.Thread(target=serve, args=(settings, listener, publish, rhythm, begun))
    thread.start()
    try:
        assert serves.wait(60)
        with closing(Poster(port)) as poster:
            yield poster
    finally:
        stops[0]()
        thread.join()
