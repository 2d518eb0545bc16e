"""Proxies: one rule for every path that a request can take, tried with a proxy that records and with squid."""

import asyncio
import base64
import json
import ssl
from typing import Any

import pytest
from peers import Authority, Seen, free_port, recording_proxy, request_of, serving, serving_tls, squid

from pipelines.errors import AccessError, OutcomeUnknown, ServiceError, SettingsError
from pipelines.settings import load_settings
from pipelines.trackly.client import TracklyClient
from pipelines.trackly.imports import post_revenue, post_sends
from pipelines.trackly.post_elsewhere import post_json
from pipelines.trackly.replies.pages import get_page
from pipelines.trackly.transport.proxies import proxy_for

PAGE = json.dumps({"lists": [], "success_count": 0}).encode()
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(PAGE), PAGE)
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
PATHS = ("read", "sends", "revenue", "alert")
BY = {"HTTPS_PROXY": "http://proxy:3128"}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def go(path: str, url: str, wire: Any, **overrides: Any) -> Any:
    """Take one of the paths; the error, or None."""
    if path == "alert":
        return post_json(url, b"{}", 5) or None

    async def run() -> Any:
        given = {"timeout_seconds": 5, "allow_http": True, "retry_seconds": 0, **overrides}
        settings = load_settings(api_key=wire.KEY, base_url=url, _env_file=None, **given)
        async with TracklyClient(settings) as client:
            try:
                if path == "read":
                    await get_page(client, "/lists", "lists")
                else:
                    await (post_sends if path == "sends" else post_revenue)(client, b'{"records": []}')
            except Exception as error:  # noqa: BLE001 - handed to the test
                return error
        return None

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "environment", "place"),
    [
        ("https://a.example", {}, None),
        ("https://a.example", BY, "proxy:3128"),
        ("HTTPS://a.example", BY, "proxy:3128"),
        ("https://a.example", {"https_proxy": "http://lower:1", **BY}, "lower:1"),
        ("https://a.example", {"https_proxy": "", **BY}, "proxy:3128"),
        ("https://a.example", {"HTTP_PROXY": "http://proxy:1"}, None),
        ("http://a.example", {"HTTP_PROXY": "http://proxy:1", **BY}, "proxy:1"),
        ("https://a.example", {"ALL_PROXY": "http://all:1"}, "all:1"),
        ("http://a.example", {"all_proxy": "all:1"}, "all:1"),
        ("https://a.example", {"ALL_PROXY": "http://all:1", **BY}, "proxy:3128"),
        ("https://a.example", {"HTTPS_PROXY": "proxy"}, "proxy:80"),
        ("https://a.example", {"HTTPS_PROXY": "proxy:3128"}, "proxy:3128"),
        ("https://a.example", {"HTTPS_PROXY": "HTTP://proxy:3128/"}, "proxy:3128"),
        ("https://a.example", {"HTTPS_PROXY": "user:pass@proxy:3128"}, "proxy:3128"),
        ("https://a.example", {"HTTPS_PROXY": "http://[::1]:3128"}, "[::1]:3128"),
        # this machine is no exception: only NO_PROXY makes one
        ("http://127.0.0.1:9", {"HTTP_PROXY": "http://127.0.0.1:3128"}, "127.0.0.1:3128"),
        ("http://127.0.0.1:9", {"HTTP_PROXY": "http://proxy:3128"}, "proxy:3128"),
        ("http://localhost:9", {"ALL_PROXY": "http://proxy:3128"}, "proxy:3128"),
        ("https://[::1]:9", {"HTTPS_PROXY": "http://proxy:3128"}, "proxy:3128"),
        ("http://localhost:9", {"ALL_PROXY": "http://proxy:3128", "NO_PROXY": "localhost"}, None),
        ("http://127.0.0.1:9", {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "127.0.0.0/8"}, None),
    ],
)
def test_the_variables_are_read_as_curl_reads_them(
    url: str, environment: dict[str, str], place: str | None
) -> None:
    """Upper or lower case, with or without a scheme; the variable of the scheme before ALL_PROXY."""
    found = proxy_for(url, environment)
    assert (found and found.place) == place


@pytest.mark.parametrize(
    ("exceptions", "url", "direct"),
    [
        ("*", "https://a.example", True),
        ("a.example", "https://a.example", True),
        ("A.Example", "https://a.EXAMPLE.", True),
        ("example", "https://a.example", True),
        (".example", "https://a.example", True),
        (".a.example", "https://a.example", True),
        ("*.example", "https://a.example", True),
        ("*.a.example", "https://a.example", False),
        ("xample", "https://a.example", False),
        ("b.example, a.example", "https://a.example", True),
        ("b.example a.example", "https://a.example", True),
        ("a.example:443", "https://a.example", True),
        ("a.example:8443", "https://a.example", False),
        ("a.example:8443", "https://a.example:8443", True),
        ("*.example:8443", "https://a.example:8443", True),
        ("https://a.example", "https://a.example", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.0.0.1/8", "https://10.1.2.3:99", True),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3:99", "https://10.1.2.3", False),
        ("10.0.0.0/8", "https://a.example", False),
        ("fd00::/8", "https://[fd00::1]", True),
        ("[fd00::1]", "https://[fd00::1]", True),
        ("[fd00::1]:443", "https://[fd00::1]", True),
        ("[fd00::1]:1", "https://[fd00::1]", False),
        ("", "https://a.example", False),
        (",, ,", "https://a.example", False),
        (".", "https://a.example", False),
        ("nonsense/99", "https://10.0.0.1", False),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_exceptions(name: str, exceptions: str, url: str, direct: bool) -> None:
    """NO_PROXY takes hosts, domains, `*.domain`, addresses and networks, each with a port or without."""
    assert (proxy_for(url, {**BY, name: exceptions}) is None) == direct


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("socks5://proxy:1080", "socks5"),
        ("socks4a://proxy:1080", "socks4a"),
        ("https://proxy:3128", "TLS to the proxy"),
        ("http://proxy:99999", "port"),
        ("http://", "host"),
        ("http://user:s3cret@a..b", "host"),
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_what_is_not_supported_is_refused_by_name(
    wire: Any, monkeypatch: pytest.MonkeyPatch, value: str, words: str, name: str
) -> None:
    """A SOCKS proxy, or TLS to the proxy, is a settings error that names the variable: nothing goes out directly."""
    with pytest.raises(SettingsError, match=words) as caught:
        proxy_for("https://a.example", {name: value})
    assert name in caught.value.message
    assert "s3cret" not in str(caught.value)
    assert caught.value.exit_code == 2
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        go("read", "https://a.example", wire)
    assert words in str(go("alert", "https://a.example", wire))


def test_an_excepted_host_needs_no_supported_proxy() -> None:
    """What NO_PROXY excepts goes out directly, whatever the proxy is."""
    assert proxy_for("https://a.example", {"ALL_PROXY": "socks5://x", "NO_PROXY": "a.example"}) is None


@pytest.mark.parametrize("path", PATHS)
def test_plain_http_goes_through_the_proxy(wire: Any, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Each path asks the proxy for the whole address of a name that only the proxy knows, with its log-in."""

    def handle(connection: Any, seen: Seen) -> None:
        seen.heads.append(request_of(connection))
        connection.sendall(REPLY)

    with serving(handle) as server, recording_proxy(("127.0.0.1", server.port)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://us%40er:p%3Ass@{proxy.place}")
        assert go(path, "http://api.example.test:8080/api/v2", wire) is None
        (head,) = proxy.heads
        assert b" http://api.example.test:8080/api/v2" in head.split(b"\r\n")[0]
        assert b"proxy-authorization: basic " + base64.b64encode(b"us@er:p:ss").lower() in head.lower()


@pytest.mark.parametrize("path", PATHS)
def test_tls_goes_through_a_tunnel(
    wire: Any, monkeypatch: pytest.MonkeyPatch, authority: Authority, path: str
) -> None:
    """Each path asks for a tunnel, checks the host's own certificate, and the proxy sees no key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("api", "DNS:api.example.test"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with serving_tls(context, REPLY) as server, recording_proxy(("127.0.0.1", server.port)) as proxy:
        monkeypatch.setenv("all_proxy", proxy.place)
        assert go(path, "https://api.example.test/api/v2", wire) is None
        (head,) = proxy.heads
        assert head.startswith(b"CONNECT api.example.test:443 HTTP/1.1\r\n")
        assert wire.KEY.encode() not in head
        other = go(path, "https://other.example.test/api/v2", wire)
        assert "is for another name" in str(other)
        assert len(server.heads) == 1


@pytest.mark.parametrize("path", PATHS)
def test_an_exception_is_reached_directly(wire: Any, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """What NO_PROXY names does not touch the proxy, on any path."""

    def handle(connection: Any, seen: Seen) -> None:
        seen.heads.append(request_of(connection))
        connection.sendall(REPLY)

    with serving(handle) as server, recording_proxy(("127.0.0.1", server.port)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.place)
        monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.0/8")
        assert go(path, f"http://{server.place}/api/v2", wire) is None
        assert proxy.connections == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("host", "why"),
    [("127.0.0.1", "the connection was refused"), ("proxy.invalid", "the host name was not found")],
)
def test_a_proxy_that_is_down_is_named(
    wire: Any, monkeypatch: pytest.MonkeyPatch, path: str, scheme: str, host: str, why: str
) -> None:
    """A request never goes out directly when the proxy is away, and for revenue it is a proof that nothing left."""
    place = f"{host}:{free_port()}"
    monkeypatch.setenv("ALL_PROXY", f"http://user:s3cret@{place}")
    error = go(path, f"{scheme}://api.example.test/api/v2", wire)
    if path == "alert":
        assert error == f"the proxy {place} cannot be reached: {why}"
    else:
        assert type(error) is ServiceError
        assert f"The proxy {place} cannot be reached: {why}" in error.message
        assert "NO_PROXY" in error.remedy
        assert "s3cret" not in str(error)


@pytest.mark.parametrize("path", ["read", "sends", "revenue"])
def test_a_proxy_that_gives_no_tunnel_is_named(wire: Any, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """A connection that takes too long is the proxy's, or that of what is behind it; nothing has left."""

    def handle(connection: Any, seen: Seen) -> None:
        seen.heads.append(request_of(connection))
        connection.recv(1)  # until the client gives up

    with serving(handle) as server:
        monkeypatch.setenv("HTTPS_PROXY", server.place)
        error = go(path, "https://api.example.test/api/v2", wire, timeout_seconds=3.0)
        assert type(error) is ServiceError
        assert f"No connection through the proxy {server.place} within the time-out" in error.message
        assert "NO_PROXY" in error.remedy


@pytest.mark.parametrize("path", ["read", "sends", "revenue"])
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"407 Proxy Authentication Required\r\nProxy-Authenticate: Basic", AccessError, "log-in"),
        (b"403 Forbidden", AccessError, "does not let requests through"),
        (b"503 Service Unavailable", ServiceError, "could not reach"),
        (b"200 OK", ServiceError, "TLS"),
    ],
)
def test_a_tunnel_that_is_refused_is_the_proxys(
    wire: Any, monkeypatch: pytest.MonkeyPatch, path: str, answer: bytes, kind: type[Exception], words: str
) -> None:
    """A refused CONNECT, or one that leads nowhere, proves that the API got nothing, and is the proxy's."""

    def handle(connection: Any, _: Seen) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n")
        if answer.startswith(b"200"):
            connection.recv(65536)
            connection.sendall(b"hello, this is no TLS\r\n")

    with serving(handle) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.place)
        error = go(path, "https://api.example.test/api/v2", wire)
    assert type(error) is kind
    assert words in error.message


def test_squid_with_a_log_in(wire: Any, monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    """Through squid every path works with the right password; a wrong one is the proxy's 407, at once."""

    def handle(connection: Any, seen: Seen) -> None:
        seen.heads.append(request_of(connection))
        connection.sendall(REPLY)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("api"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with (
        squid("someone", "p:s@t") as proxy,
        serving(handle) as plain,
        serving_tls(context, REPLY) as secure,
    ):
        urls = (f"http://{plain.place}/api/v2", f"https://{secure.place}/api/v2")
        monkeypatch.setenv("ALL_PROXY", f"http://someone:p%3As%40t@{proxy.place}")
        for path in PATHS:
            for url in urls:
                assert go(path, url, wire) is None, (path, url)
        assert (len(plain.heads), len(secure.heads)) == (4, 4)
        monkeypatch.setenv("ALL_PROXY", f"http://someone:wrong@{proxy.place}")
        for path in ("read", "sends", "revenue"):
            for url in urls:
                error = go(path, url, wire, retry_seconds=60)
                assert type(error) is AccessError
                assert "proxy" in error.message
                assert "wrong" not in str(error)
        for url in urls:
            assert "proxy" in str(go("alert", url, wire))
        assert (len(plain.heads), len(secure.heads)) == (4, 4)
        # squid's own page for a host that is away: nothing proves that it was never there
        monkeypatch.setenv("ALL_PROXY", f"http://someone:p%3As%40t@{proxy.place}")
        away = f"127.0.0.1:{free_port()}"
        assert type(go("revenue", f"http://{away}/api/v2", wire)) is OutcomeUnknown
        error = go("revenue", f"https://{away}/api/v2", wire)
        assert type(error) is ServiceError
        assert "could not reach" in error.message
