"""What the receiver answers, and that what it answered with 2xx is in the queue."""

import asyncio
import base64
import hashlib
import hmac
import os
import signal
import socket
import stat
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from forked import Forked
from receiving import Poster, delivery, encoded, receiving, settings_of, signed, stored_bodies

from pipelines.errors import SettingsError, StorageError, UsageError
from pipelines.webhooks import receive, serve
from pipelines.webhooks.at_work import is_at_work
from pipelines.webhooks.queue import store
from pipelines.webhooks.queue.store import Rejection, existing_store, open_store
from pipelines.webhooks.queue.writer import QueueFull, Writer
from pipelines.webhooks.serve import Protocol, Rhythm, listen


def test_a_signed_event_is_kept_as_it_came(tmp_path: Path) -> None:
    """Any path, unknown events, junk: 2xx, byte for byte, with its time and its signature's verdict."""
    settings = settings_of(tmp_path)
    bodies = [
        encoded(delivery(1)), b'{"event": "moonrise", "x": [1]}', b"no JSON \xff\x00", b"", b"[]", b"{}", b"[" * 9_000
    ]  # fmt: skip
    before = store.now()
    with receiving(settings) as poster:
        assert [
            poster.post(body, path=path)
            for body, path in zip(bodies, ["/", "/a", "/health", "/b", "/c?d", "/e", "/%00"], strict=True)
        ] == [200] * 7
        assert is_at_work(settings.data_dir), "a demo must not empty the folder"
    assert not is_at_work(settings.data_dir)
    found = stored_bodies(settings)
    assert [one.body for one in found] == bodies
    assert {(one.verified, one.repeats, one.repeated_at) for one in found} == {(True, 0, None)}
    assert [one.digest for one in found] == [hashlib.sha256(body).hexdigest() for body in bodies]
    assert before <= found[0].received_at <= found[-1].received_at <= store.now()
    assert stat.S_IMODE((settings.data_dir / "webhooks.db").stat().st_mode) == 0o600


def test_unsigned_and_wrongly_signed_are_refused_and_counted_without_body(tmp_path: Path) -> None:
    """401, a record with reason and size, and nothing of the body anywhere."""
    settings = settings_of(tmp_path)
    body = b'{"event": "a body that nobody signed"}'
    wrong = [
        "",
        "zz",
        "0" * 64,
        signed(body, "another")["X-Trackly-Signature"],
        signed(b"other")["X-Trackly-Signature"],
    ]
    wrong += ["sha256=" + signed(body)["X-Trackly-Signature"], "\xe9" * 64]
    with receiving(settings) as poster:
        assert poster.post(body, {}) == 401
        assert {poster.post(body, {"X-Trackly-Signature": text}) for text in wrong} == {401}
        assert poster.post(body, {"x-trackly-signature": signed(body)["X-Trackly-Signature"].upper()}) == 200
    with existing_store(settings) as found:
        assert found is not None
        assert [one.reason for one in found.rejections()] == ["unsigned"] + ["wrongly_signed"] * len(wrong)
        assert {one.size for one in found.rejections()} == {len(body)}
        state = found.state()
    assert (state["unsigned"], state["wrongly_signed"], len(stored_bodies(settings))) == (1, len(wrong), 1)


def test_records_of_refused_requests_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers cannot fill the disk; the count goes on."""
    monkeypatch.setattr(store, "REJECTIONS_KEPT", 5)
    settings = settings_of(tmp_path)
    with receiving(settings) as poster:
        assert {poster.post(b"x", {}) for _ in range(12)} == {401}
    with existing_store(settings) as found:
        assert found is not None
        assert (len(found.rejections()), found.state()["unsigned"]) == (5, 12)


@pytest.mark.parametrize("form", [("hex", "sha256="), ("base64", ""), ("base64", "v1,")])
def test_other_forms_of_signatures(tmp_path: Path, form: tuple[str, str]) -> None:
    """The settings say which form is taken, and no other is; either of two secrets signs."""
    encoding, prefix = form
    settings = settings_of(
        tmp_path,
        webhook_secret="old, new",  # noqa: S106 - of a test
        webhook_encoding=encoding,
        webhook_prefix=prefix,
    )
    body = encoded(delivery(1))

    def signature(secret: str) -> str:
        digest = hmac.digest(secret.encode(), body, "sha256")
        return prefix + (digest.hex() if encoding == "hex" else base64.b64encode(digest).decode())

    with receiving(settings) as poster:
        assert [poster.post(body, {"X-Trackly-Signature": signature(one)}) for one in ("old", "new", "else")] == [
            200, 200, 401
        ]  # fmt: skip
        assert poster.post(body, {"X-Trackly-Signature": signature("old")[len(prefix) + 1 :]}) == 401
        assert poster.post(body, signed(body, "old")) == 401
    assert [(one.repeats, one.verified) for one in stored_bodies(settings)] == [(1, True)]


def test_without_a_secret_all_is_taken_on_loopback_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody verified is marked so; the same body with a right signature later is verified."""
    bare = settings_of(tmp_path, webhook_secret=None)
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.com"):  # noqa: S104 - to be refused
        with pytest.raises(SettingsError, match="TRACKLY_WEBHOOK_SECRET"):
            listen(bare, host, 0)
    with closing(socket.create_server(("0.0.0.0", 0))) as given:  # noqa: S104 - to be refused
        monkeypatch.setattr(serve, "_FIRST_HANDED", os.dup(given.fileno()))
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "1")
        with pytest.raises(SettingsError, match="TRACKLY_WEBHOOK_SECRET"):
            listen(bare, "127.0.0.1", 0)
        monkeypatch.setattr(serve, "_FIRST_HANDED", os.dup(given.fileno()))
        with closing(listen(settings_of(tmp_path), "127.0.0.1", 0)) as handed:
            assert handed.getsockname() == given.getsockname()
        monkeypatch.delenv("LISTEN_FDS")
    with receiving(bare) as poster:
        assert poster.post(delivery(1), {}) == poster.post(delivery(2), {}) == 200
    with receiving(settings_of(tmp_path)) as poster:
        assert poster.post(delivery(2)) == 200
    assert [(one.verified, one.repeats) for one in stored_bodies(bare)] == [(False, 0), (True, 1)]
    with pytest.raises(SettingsError, match="WEBHOOK_SECRET"):
        settings_of(tmp_path, webhook_secret="a,,b")  # noqa: S106
    with closing(listen(bare, "127.0.0.1", 0)) as taken, pytest.raises(UsageError):
        listen(bare, "127.0.0.1", taken.getsockname()[1])


def test_methods_sizes_and_health(tmp_path: Path) -> None:
    """Only POST brings events; what is too large is 413, whether its size is announced or not."""
    settings = settings_of(tmp_path)
    large = b"x" * (receive.MOST_BODY_BYTES + 1)
    fits = b"y" * receive.MOST_BODY_BYTES
    with receiving(settings) as poster:
        assert poster.ask("GET", "/health").status == poster.ask("HEAD", "/health").status == 200
        assert [poster.ask(method, "/").status for method in ("GET", "PUT", "DELETE")] == [405] * 3
        assert poster.post(large) == 413
        assert poster.ask("POST", "/", iter([large]), signed(large)).status == 413  # type: ignore[arg-type]
        assert poster.post(fits) == 200
    assert [one.body for one in stored_bodies(settings)] == [fits]


def test_sizes_are_bounded_before_and_while_a_body_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An announced size is refused unread, one without is read so far; what memory may not hold is 503."""
    monkeypatch.setattr(receive, "_MOST_READ_BYTES", 2_000)
    monkeypatch.setattr(receive, "MOST_BODY_BYTES", 1_000)
    settings = settings_of(tmp_path)
    body = b"x" * 900
    with (
        receiving(settings) as poster,
        closing(Poster(poster.port)) as announced,
        closing(Poster(poster.port)) as not_so,
    ):
        assert announced.ask("POST", "/", b"", {"Content-Length": "2001"}).status == 413
        assert not_so.ask("POST", "/", iter([body] * 4)).status == 413  # type: ignore[arg-type]
        assert poster.ask("POST", "/", body, signed(body)).status == 200
        monkeypatch.setattr(receive, "MOST_WAITING_BYTES", 10)
        reply = poster.ask("POST", "/", body, signed(body))
        assert (reply.status, reply.getheader("Retry-After") is None) == (503, False)


def test_more_connections_than_may_be_are_closed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are there go on."""
    monkeypatch.setattr(serve, "MOST_CONNECTIONS", 1)
    with receiving(settings_of(tmp_path)) as poster:
        assert poster.post(delivery(1)) == 200
        place = ("127.0.0.1", poster.port)
        with socket.create_connection(place, timeout=30) as client, suppress(ConnectionResetError):
            assert client.recv(1) == b""
        assert poster.post(delivery(2)) == 200


def test_a_defect_stops_no_receiver(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not one of a publish, and not one of the store: what it was asked for is answered, and the thread goes on."""

    def broken() -> None:
        raise ZeroDivisionError("of +15550001111")

    async def write() -> str:
        with open_store(settings_of(tmp_path)) as queue:
            queue.append = lambda *_: broken()  # type: ignore[method-assign]
            writer = Writer(queue)
            with pytest.raises(StorageError) as caught:
                await writer.write(Rejection(store.now(), "unsigned", 3))
            await writer.write(None)
            await asyncio.to_thread(writer.close)
            with pytest.raises(QueueFull):
                await writer.write(None)
        return str(caught.value)

    serve._once(broken)
    assert asyncio.run(write()) == "Events cannot be stored: ZeroDivisionError. Report this."
    assert "stay in the queue: ZeroDivisionError" in caplog.text
    assert "+1555" not in caplog.text


def test_a_second_stop_waits_for_nothing(tmp_path: Path) -> None:
    """As a service manager has it that has lost patience: the process ends at once, as by the signal."""
    with Forked(_stop_twice, (tmp_path,), {}, tmp_path) as process:
        process.wait(60)
    assert process.returncode == 128 + signal.SIGTERM


def _stop_twice(folder: Path) -> None:
    settings = settings_of(folder)

    def stop() -> None:
        while True:  # two that are sent at once may come as one
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)

    serve.serve(settings, listen(settings, "127.0.0.1", 0), stop, Rhythm(publish=0.01))


def test_slow_clients_are_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head or a body that does not come holds nothing for long, and others are served meanwhile."""
    monkeypatch.setattr(Protocol, "head_seconds", 0.2)
    monkeypatch.setattr(receive.Receiver.__init__, "__defaults__", (0.2,))
    with receiving(settings_of(tmp_path)) as poster:
        for begun in (b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"):
            with socket.create_connection(("127.0.0.1", poster.port), timeout=30) as client:
                client.sendall(begun)
                assert poster.post(delivery(1)) == 200
                reply = b""
                while part := client.recv(4_096):
                    reply += part
                assert reply.startswith(b"HTTP/1.1 408") == (b"Length" in begun)


def test_a_body_that_its_client_left_is_not_kept(tmp_path: Path) -> None:
    """Half a body is nothing, and no error either."""
    settings = settings_of(tmp_path)
    with receiving(settings) as poster:
        with socket.create_connection(("127.0.0.1", poster.port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        assert poster.post(delivery(1)) == 200
    assert len(stored_bodies(settings)) == 1


def test_a_sign_of_life_and_the_minute(tmp_path: Path) -> None:
    """The receiver publishes and shows that it is alive by its own clock, whatever publishing does."""
    settings = settings_of(tmp_path)
    published = threading.Semaphore(0)

    def publish() -> None:
        published.release()
        raise StorageError("Cannot write.")

    with receiving(settings, publish, Rhythm(0.01, 0.01)) as poster:
        for _ in range(3):
            assert published.acquire(timeout=60)
        assert poster.post(delivery(1)) == 200
        with existing_store(settings) as found:
            assert found is not None
            assert found.state()["serving"] == 1
            first = found.state()["beat_at"]
            while found.state()["beat_at"] == first:
                time.sleep(0.01)
