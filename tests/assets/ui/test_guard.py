"""Who may talk to Dagster's pages: each way in that was tried, and its neighbours, against the guard alone."""

import asyncio
import os
import socket
import subprocess
import sys
from base64 import b64encode
from typing import Any

import pytest

from assets.ui.guard import Guard, Message, Receive, Rules, Scope, Send
from assets.ui.socket_owner import may_enter, user_of
from pipelines.errors import SettingsError
from pipelines.settings import load_settings

OWN = {"host": "127.0.0.1:3000"}
JSON = {"content-type": "application/json"}
PASSWORD = "påss:wörd"  # noqa: S105 - the tests' own


def ask(
    method: str = "GET", path: str = "/", rules: Rules | None = None, kind: str = "http", **headers: str
) -> tuple[int | str, dict[str, str]]:
    """What a request gets: the status and the headers; "in" for a WebSocket that was let through."""
    sent: list[Message] = []

    async def inner(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope: dict[str, Any] = {
        "type": kind, "method": method, "path": path, "headers": named, "client": ("127.0.0.1", 4),
    }  # fmt: skip
    asyncio.run(Guard(inner, rules or Rules(3000))(scope, receive, send))
    first = sent[0]
    if kind == "websocket":
        return ("in" if first["type"] == "websocket.accept" else 403), {}
    return first["status"], {name.decode(): value.decode() for name, value in first["headers"]}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:3000", 200), ("localhost:3000", 200), ("LOCALHOST:3000", 200), ("127.9.9.9:3000", 200),
        ("[::1]:3000", 200), ("sync.example.com", 200), ("SYNC.example.com:8443", 200), ("10.0.0.5:3000", 200),
        ("evil.example:3000", 403), ("evil.example", 403), ("127.0.0.1", 403), ("127.0.0.1:3001", 403),
        ("localhost.evil.example:3000", 403), ("127.0.0.1.evil.example:3000", 403), ("10.0.0.5:3001", 403),
        ("127.0.0.1:3000@evil.example", 403), ("sync.example.com.evil.example", 403), ("", 403),
        ("0.0.0.0:3000", 403), ("192.168.0.1:3000", 403), ("[::1]", 403), ("[::2]:3000", 403),
        ("2130706433:3000", 403), ("0x7f.1:3000", 403), ("127.1:3000", 403), ("localhost:3000, evil", 403),
    ],
)  # fmt: skip
def test_only_names_of_this_machine_or_of_the_settings_are_served(host: str, status: int) -> None:
    """DNS can point any name at this machine; none but ours is answered."""
    rules = Rules(3000, load_settings(ui_hosts="sync.example.com, 10.0.0.5:3000").allowed_hosts)
    assert ask(rules=rules, host=host)[0] == status
    assert ask(kind="websocket", rules=rules, host=host)[0] == ("in" if status == 200 else 403)


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    """Two of a header are read by one program as the first, by another as the last."""
    assert ask()[0] == 403
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def never(*_: Any) -> None:
        raise AssertionError

    twice = [(b"host", b"127.0.0.1:3000"), (b"host", b"evil.example")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": twice, "client": ("127.0.0.1", 4)}
    asyncio.run(Guard(never, Rules(3000))(scope, never, send))
    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:3000", "sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "http://127.0.0.1:3001"}, 403),
        ({"origin": "http://127.0.0.1"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://127.0.0.1:3000.evil.example"}, 403),
        ({"origin": "file://127.0.0.1:3000"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "Same-Origin"}, 403),
        ({"origin": "http://127.0.0.1:3000", "sec_fetch_site": "cross-site"}, 403),
    ],
)
def test_only_the_page_itself_may_ask(headers: dict[str, str], status: int) -> None:
    """By Origin and by Sec-Fetch-Site, where a browser sends them; requests and WebSockets alike."""
    assert ask("POST", "/graphql", **OWN, **JSON, **headers)[0] == status
    assert ask("GET", "/runs", **OWN, **headers)[0] == status
    assert ask(kind="websocket", path="/graphql", **OWN, **headers)[0] == ("in" if status == 200 else 403)


def test_a_proxys_page_is_its_own() -> None:
    """TLS ends at the proxy: the origin says https, the port is the usual one or the one that Host has."""
    rules = Rules(3000, frozenset({"sync.example.com"}))
    for host, origin, status in (
        ("sync.example.com", "https://sync.example.com", 200),
        ("sync.example.com:8443", "https://sync.example.com:8443", 200),
        ("sync.example.com", "https://other.example.com", 403),
    ):
        assert ask("POST", "/graphql", rules, host=host, origin=origin, **JSON)[0] == status


@pytest.mark.parametrize(
    ("method", "path", "content_type", "status"),
    [
        ("GET", "/", "", 200),
        ("HEAD", "/runs", "", 200),
        ("GET", "/graphql", "", 405),
        ("GET", "/graphql/", "", 405),
        ("GET", "/GraphQL", "", 405),
        ("HEAD", "/graphql", "", 405),
        ("POST", "/graphql", "application/json", 200),
        ("POST", "/graphql", "application/json; charset=utf-8", 200),
        ("POST", "/graphql", "Application/JSON", 200),
        ("POST", "/graphql", "", 415),
        ("POST", "/graphql", "text/plain", 415),
        ("POST", "/graphql", "application/graphql", 415),
        ("POST", "/graphql", "application/x-www-form-urlencoded", 415),
        ("POST", "/graphql", "multipart/form-data; boundary=application/json", 415),
        ("POST", "/graphql", "text/plain; application/json", 415),
        ("POST", "/report_asset_materialization/contacts", "text/plain", 415),
        ("PUT", "/graphql", "application/json", 405),
        ("DELETE", "/runs", "", 405),
        ("OPTIONS", "/graphql", "", 405),
        ("post", "/graphql", "application/json", 405),
    ],
)
def test_changes_go_by_post_with_json_only(method: str, path: str, content_type: str, status: int) -> None:
    """What an image, a link, a form and a simple request can send changes nothing."""
    headers = {"content_type": content_type} if content_type else {}
    assert ask(method, path, **OWN, **headers)[0] == status


def test_no_page_frames_this_one() -> None:
    """Also not its refusals."""
    for status, headers in (ask(**OWN), ask(host="evil.example")):
        assert status in (200, 403)
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (None, 401),
        (basic("trackly", PASSWORD), 200),
        (basic("anybody", PASSWORD), 200),
        (basic("trackly", PASSWORD).replace("Basic", "basic"), 200),
        (basic("", PASSWORD), 401),
        (basic("trackly", PASSWORD + "x"), 401),
        (basic("trackly", PASSWORD[:-1]), 401),
        (basic("trackly", ""), 401),
        (basic(PASSWORD, ""), 401),
        ("Bearer " + PASSWORD.encode().hex(), 401),
        ("Basic", 401),
        ("Basic !!!", 401),
        ("Basic w6U=", 401),
    ],
)
def test_with_a_password_every_request_has_it(given: str | None, status: int) -> None:
    """Whoever asks, by whatever name; what a proxy says of the peer changes nothing."""
    rules = Rules(3000, frozenset({"sync.example.com"}), PASSWORD)
    for host in ("127.0.0.1:3000", "sync.example.com"):
        headers = {"host": host, "x_forwarded_for": "127.0.0.1", "forwarded": "for=127.0.0.1"}
        headers |= {"authorization": given} if given is not None else {}
        found, answered = ask("POST", "/graphql", rules, **JSON, **headers)
        assert found == status
        assert ("www-authenticate" in answered) == (status == 401)
        opened, _ = ask(kind="websocket", rules=rules, **headers)
        assert opened == ("in" if status == 200 else 403)


def test_without_a_password_only_our_own_user_comes_in() -> None:
    """Loopback is everybody's on a machine; a name of the settings is a proxy's, which has a log-in of its own."""
    rules = Rules(3000, frozenset({"sync.example.com"}), None, lambda _host, _port: False)
    assert ask(rules=rules, **OWN)[0] == 403
    assert ask(rules=rules, host="sync.example.com")[0] == 200
    assert "secret" not in repr(Rules(3000, password="secret"))  # noqa: S106 - the test's own


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells whose a socket is")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_system_tells_whose_a_connection_is(
    family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of both kinds of address; one that is not of this machine is nobody's. Other systems than Linux do not tell."""
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.socket(family) as server, socket.socket(family) as client:
        server.bind((host, 0))
        server.listen()
        client.connect(server.getsockname())
        peer, own = client.getsockname()[:2], server.getsockname()[:2]
        assert user_of(peer, own) == os.getuid()
        assert may_enter(peer, own)
        for other in ("192.0.2.1", "testclient", ""):
            assert user_of((other, peer[1]), own) is None
            assert not may_enter((other, peer[1]), own)
        assert not may_enter(peer, (own[0], own[1] ^ 1))
        monkeypatch.setattr(sys, "platform", "darwin")
        assert may_enter(("192.0.2.1", peer[1]), own)
        monkeypatch.undo()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_user_of_the_machine_is_refused() -> None:
    """A connection of `nobody` over loopback, as the server sees it."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(60)
        code = (
            "import encodings.idna, os, socket; os.setgid(65534); os.setuid(65534); "
            f"s = socket.create_connection(('127.0.0.1', {server.getsockname()[1]})); s.recv(1)"
        )
        with subprocess.Popen([sys.executable, "-c", code]):
            connection, peer = server.accept()
            assert user_of(peer, server.getsockname()) == 65534
            assert not may_enter(peer, server.getsockname())
            connection.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the user of a socket")
def test_a_closed_socket_is_nobodys() -> None:
    """Who sends a request and closes at once does not come in: the system lists such a socket as root's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        peer = client.getsockname()
        connection, _ = server.accept()
        with connection:
            client.close()
            connection.settimeout(60)
            assert connection.recv(1) == b""
            assert user_of(peer, server.getsockname()) is None
            assert not may_enter(peer, server.getsockname())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_port_that_root_uses_elsewhere_lets_nobody_in() -> None:
    """Another user may bind to the port from which root has a connection to another server, but is not root."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("127.0.0.1", 0)) as other,
        socket.socket() as of_root,
    ):
        of_root.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        of_root.bind(("127.0.0.1", 0))
        of_root.connect(other.getsockname())
        server.settimeout(60)
        code = (
            "import encodings.idna, os, socket; os.setgid(65534); os.setuid(65534); s = socket.socket(); "
            "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
            f"s.bind({of_root.getsockname()!r}); s.connect({server.getsockname()!r}); s.recv(1)"
        )
        with subprocess.Popen([sys.executable, "-c", code]):
            connection, peer = server.accept()
            assert peer == of_root.getsockname()
            assert user_of(peer, server.getsockname()) == 65534
            assert not may_enter(peer, server.getsockname())
            connection.close()


def test_what_listens_where_is_served_under_that_name() -> None:
    """An address that was named to listen on is asked for by that; `any address` is no name."""
    from assets.ui.webserver import rules_of  # noqa: PLC0415 - Dagster's whole web server comes with it

    assert rules_of(load_settings(), "10.0.0.5", 3000).hosts == {"10.0.0.5"}
    for host in ("0.0.0.0", "::", "127.0.0.1", "localhost"):  # noqa: S104 - compared with
        assert rules_of(load_settings(), host, 3000).hosts == frozenset()
    for wrong in ("http://sync.example.com", "a b", "sync.example.com/x", "*"):
        with pytest.raises(SettingsError, match="TRACKLY_UI_HOSTS must be host names"):
            load_settings(ui_hosts=wrong)
