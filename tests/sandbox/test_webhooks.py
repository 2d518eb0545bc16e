"""The account's webhook: signed events, the documented retries, its pause, and its worst day at our receiver."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oracle import query
from receiving import SECRET, receiving, settings_of

from pipelines.sandbox import (
    API_KEY,
    WORST_DAY,
    Account,
    Endpoint,
    Mood,
    configure,
    opt_out,
    reply,
    running,
    seed_account,
    send,
)
from pipelines.sandbox.webhooks import RETRIES
from pipelines.warehouse.webhook_events import publish_events

Row = dict[str, Any]
FAST = 1e-6


@contextmanager
def endpoint(answers: list[int]) -> Iterator[tuple[str, list[tuple[bytes, str]]]]:
    """An endpoint that gives these answers, then 200; what it was sent, with the signatures."""
    seen: list[tuple[bytes, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((body, self.headers.get("X-Trackly-Signature", "")))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", seen
        finally:
            server.shutdown()
            thread.join()


def message(account: Account, number: int = 0) -> Row:
    contact = [row for row in account.contacts() if row["active"]][number]
    return {"to": contact["phone_number"], "list_number": contact["list_number"], "body": "Hello"}


def asked(url: str, path: str, body: Any, key: str | None = API_KEY) -> Any:
    headers = {"Content-Type": "application/json", **({"X-Api-Key": key} if key else {})}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        return json.load(answer)


def test_a_message_brings_signed_events() -> None:
    """Pending, then its end; in hex or, where it is set so, in base64 behind a prefix."""
    account = seed_account(contacts=5)
    with endpoint([]) as (url, seen), running(account) as server:
        control = server.url.replace("/api/v2", "/_sandbox/webhooks")
        for encoding, prefix in (("hex", ""), ("base64", "sha256=")):
            seen.clear()
            given = {"url": url, "secret": SECRET, "encoding": encoding, "prefix": prefix, "scale": FAST}
            asked(control, "", given, None)
            done = asked(server.url, "/send", message(account))
            assert (done["success"], done["status"], len(done["message_id"])) == (True, "queued", 8)
            assert account.webhooks is not None
            assert account.webhooks.settled()
            shown = [json.loads(body) for body, _ in seen]
            assert [event["status"] for event in shown] == ["pending", "delivered"]
            assert {event["message_id"] for event in shown} == {done["message_id"]}
            for body, signature in seen:
                digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
                written = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
                assert signature == prefix + written
        bulk = asked(server.url, "/send/bulk", {"messages": [message(account), {"to": "+1"}]})
        assert (bulk["queued_count"], bulk["error_count"]) == (1, 1)
        configure(account, None)


def test_retries_end_and_a_pause_comes_without_notice() -> None:
    """Five retries after a failure, then the event is lost; after failures in a row so is all that follows."""
    account = seed_account(contacts=5)
    assert RETRIES == (60, 300, 900, 3_600, 7_200)
    with endpoint([500, 302, 429, 400, 404, 503]) as (url, seen):
        configure(account, Endpoint(url, SECRET, scale=FAST, pause_after=9))
        reply(account, "+15550000001", "+15559000001", "hi")
        assert account.webhooks is not None
        assert account.webhooks.settled()
        assert ([one.status for one in account.webhooks.log], len(seen)) == (
            [500, 302, 429, 400, 404, 503],
            6,
        )
        assert (len(account.webhooks.lost), account.webhooks.paused) == (1, False)
    for number in range(3):
        reply(account, "+15550000001", "+15559000001", str(number))
    assert account.webhooks.settled()
    assert (len(account.webhooks.log), len(account.webhooks.lost), account.webhooks.paused) == (
        6 + 3,
        4,
        True,
    )
    reply(account, "+15550000001", "+15559000001", "meanwhile")
    assert (len(account.webhooks.log), len(account.webhooks.lost)) == (9, 5)
    account.webhooks.resume()
    assert (account.webhooks.paused, len(account.events)) == (False, 5)
    configure(account, None)


def test_the_worst_day_at_our_receiver(tmp_path: Path) -> None:
    """Each body that was acknowledged is in the warehouse once, forgeries are not, and states are right."""
    account = seed_account(contacts=60)
    settings = settings_of(tmp_path)
    with receiving(settings) as poster:
        configure(account, Endpoint(f"http://127.0.0.1:{poster.port}/", SECRET, scale=1e-4), WORST_DAY)
        assert account.webhooks is not None
        for number in range(40):
            send(account, message(account, number % 10))
        for row in account.contacts()[:8]:
            opt_out(account, row["phone_number"], row["list_number"])
        assert account.webhooks.settled()
    publish_events(settings)
    acknowledged = Counter(account.webhooks.acknowledged())
    assert len(acknowledged) > 100
    found = query(
        settings.warehouse, "SELECT raw, repeats + 1, verified FROM webhook_events WHERE position = 0"
    )
    assert {raw: times for raw, times, _ in found} == {
        body.decode(errors="backslashreplace"): times for body, times in acknowledged.items()
    }
    assert {verified for *_, verified in found} == {True}
    forged = [one.status for one in account.webhooks.log if not one.genuine]
    assert set(forged) == {401}
    ends = {event["message_id"]: event["status"] for event in account.events if event["event"] == "delivery"}
    assert dict(query(settings.warehouse, "SELECT message_id, status FROM marts.messages")) == ends
    gone = {
        (event["phone_number"], event["list_number"])
        for event in account.events
        if event["event"] == "unsubscribe"
    }
    assert set(query(settings.warehouse, "SELECT phone_number, list_number FROM marts.opt_outs")) == gone
    ((disagreements,),) = query(settings.warehouse, "SELECT disagreements FROM sync.webhooks")
    assert disagreements == len(acknowledged) - len({json.dumps(e) for e in account.events}) - junk(
        acknowledged
    )
    configure(account, None)
    assert Mood() != WORST_DAY


def junk(bodies: Counter[bytes]) -> int:
    return sum(body in (b"\xff\x00", b"{", b"[]", b'{"event": "moonrise"}') for body in bodies)
