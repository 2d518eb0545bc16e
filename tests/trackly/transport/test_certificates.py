"""TLS as it is met: certificates that are not trusted, private authorities, and ports that speak something else."""

import asyncio
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import certifi
import pytest
from peers import Authority, Seen, nginx, request_of, serving, serving_tls

from pipelines.errors import OutcomeUnknown, ServiceError, SettingsError
from pipelines.settings import load_settings
from pipelines.trackly.client import TracklyClient
from pipelines.trackly.imports import post_revenue
from pipelines.trackly.post_elsewhere import post_json
from pipelines.trackly.replies.pages import get_page
from pipelines.trackly.transport.diagnosis import diagnose

PAGE = json.dumps({"lists": [], "success_count": 0}).encode()
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(PAGE), PAGE)
VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def ask(url: str, wire: Any, *, revenue: bool = False) -> Any:
    """Read one page, or send revenue; what came of it."""

    async def run() -> Any:
        settings = load_settings(api_key=wire.KEY, base_url=url, timeout_seconds=5, _env_file=None)
        async with TracklyClient(settings) as client:
            try:
                if revenue:
                    return await post_revenue(client, b"{}")
                return await get_page(client, "/lists", "lists")
            except Exception as error:  # noqa: BLE001 - handed to the test
                assert client.retries == 0
                return error

    return asyncio.run(run())


def context_of(certificate: tuple[Path, Path], client_authority: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if client_authority:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_authority)
    return context


@pytest.fixture
def good(authority: Authority) -> Iterator[Seen]:
    """A server with a certificate of the private authority."""
    with serving_tls(context_of(authority.sign("good")), REPLY) as seen:
        yield seen


@pytest.mark.parametrize("revenue", [False, True])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("unknown", "authority that is not trusted"),
        ("self-signed", "self-signed"),
        ("expired", "has expired"),
        ("wrong name", "for another name"),
    ],
)
def test_a_certificate_that_is_not_accepted_is_named_at_once(
    wire: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch, kind: str, words: str, revenue: bool
) -> None:
    """One line with what to do, after one attempt, and no byte of a request leaves, of revenue neither."""
    certificate = {
        "unknown": lambda: authority.sign("unknown"),
        "self-signed": authority.self_signed,
        "expired": lambda: authority.sign("expired", days=-1),
        "wrong name": lambda: authority.sign("wrong", "DNS:elsewhere.example"),
    }[kind]()
    if kind not in ("unknown", "self-signed"):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with serving_tls(context_of(certificate), REPLY) as seen:
        for host in ("127.0.0.1", "localhost"):
            error = ask(f"https://{host}:{seen.port}", wire, revenue=revenue)
            assert (type(error), error.exit_code) == (ServiceError, 1)
            assert words in error.message
            assert f"{host}:{seen.port}" in error.message
            assert error.remedy
            assert "\n" not in str(error)
        shown = post_json(f"https://127.0.0.1:{seen.port}/s3cret", b"{}", 5)
        assert words in shown  # alerts say so too
        assert "s3cret" not in shown
    assert seen.heads == []
    assert seen.connections == 3


@pytest.mark.parametrize(
    "how", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "hashed", "two folders"]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_private_authority_works_by_every_variable(
    wire: Any,
    good: Seen,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    how: str,
    host: str,
) -> None:
    """A private authority is trusted by each of the usual variables, for names of this machine too."""
    value, name = str(authority.file), how
    if how not in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        folder, name = tmp_path / "authorities", "SSL_CERT_DIR"
        folder.mkdir()
        (folder / "README").write_text("not a certificate")
        (folder / "ours.pem").write_bytes(authority.file.read_bytes())
        if how == "hashed":
            subprocess.run(["openssl", "rehash", str(folder)], check=True, capture_output=True)
        value = str(folder)
        if how == "two folders":
            (tmp_path / "other").mkdir()
            (tmp_path / "other" / "ca.pem").write_bytes(authority.file.read_bytes())
            value = f"{tmp_path / 'other'}:{folder}"
    monkeypatch.setenv(name, value)
    assert ask(f"https://{host}:{good.port}", wire).status == 200
    assert ask(f"https://{host}:{good.port}", wire, revenue=True).status == 200


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("kind", ["missing", "no certificate", "an empty folder", "a file for a folder"])
def test_what_is_no_certificate_is_a_settings_error(
    wire: Any, good: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, kind: str
) -> None:
    """A variable that names no certificates is reported before any connection, by its name, with exit 2."""
    path = tmp_path / "here"
    if kind == "no certificate":
        path.write_text("hello")
    elif kind == "an empty folder":
        path.mkdir()
    elif kind == "a file for a folder":
        path.write_bytes(b"\0" * 10)
    monkeypatch.setenv(name, str(path))
    with pytest.raises(SettingsError, match=name) as caught:
        ask(f"https://127.0.0.1:{good.port}", wire)
    assert caught.value.exit_code == 2
    assert good.connections == 0


def test_plain_http_to_a_port_that_speaks_tls(wire: Any, good: Seen) -> None:
    """The error says that the port speaks TLS, after one request."""
    error = ask(f"http://127.0.0.1:{good.port}", wire)
    assert type(error) is ServiceError
    assert "speaks TLS" in error.message
    assert "https://" in error.remedy


def test_plain_http_to_nginx_with_tls(wire: Any, authority: Authority, tmp_path: Path) -> None:
    """Nginx answers with a page of its own, which is recognised."""
    certificate, key = authority.sign("nginx")
    block = f"listen PORT ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"
    with nginx(tmp_path, block) as port:
        error = ask(f"http://127.0.0.1:{port}", wire)
    assert type(error) is ServiceError
    assert "speaks TLS" in error.message


@pytest.mark.parametrize("kind", ["talks first", "waits for a line", "answers 400"])
def test_tls_to_a_port_that_speaks_none(wire: Any, kind: str) -> None:
    """The error says that the port speaks no TLS, whatever it does with what it does not understand."""

    def handle(connection: socket.socket, _: Seen) -> None:
        if kind == "talks first":
            connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
            connection.recv(100)
            return
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
            if kind == "answers 400" or b"\r\n\r\n" in received:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return

    with serving(handle) as seen:
        error = ask_quickly(f"https://127.0.0.1:{seen.port}", wire)
    assert type(error) is ServiceError
    assert "does not speak TLS" in error.message


def ask_quickly(url: str, wire: Any, **more: Any) -> Any:
    """As `ask`, with a short time-out, which a handshake that hangs is waited for."""

    async def run() -> Any:
        settings = load_settings(api_key=wire.KEY, base_url=url, timeout_seconds=2.0, _env_file=None, **more)
        async with TracklyClient(settings) as client:
            with pytest.raises(ServiceError) as caught:
                await get_page(client, "/lists", "lists")
            return caught.value

    return asyncio.run(run())


def test_a_client_certificate_that_is_demanded(
    wire: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that wants a certificate of ours is named as such."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with serving_tls(context_of(authority.sign("strict"), authority.file), REPLY) as seen:
        error = ask(f"https://127.0.0.1:{seen.port}", wire)
    assert type(error) is ServiceError
    assert "client certificate" in error.message
    assert seen.heads == []


# Python leaves a socket to the collector that was reset before it is wrapped
@pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <ssl\.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_a_look_at_a_port_tells_what_it_speaks(authority: Authority, wire: Any) -> None:
    """It misses a certificate, speaks no TLS, or tells nothing, which is no error of its own."""

    def talks_plainly(connection: socket.socket, _: Seen) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
        connection.recv(100)

    def resets(connection: socket.socket, _: Seen) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def talks_over_tls(connection: socket.socket, _: Seen) -> None:
        with context_of(certificate).wrap_socket(connection, server_side=True) as secure:
            secure.sendall(b"SSH")
            secure.recv(1)

    def look(place: str, *, tls: bool = True) -> str:
        host, _, port = place.rpartition(":")
        found = asyncio.run(diagnose(host, int(port), tls=tls))
        return found.message.removeprefix(place).strip() if found else ""

    certificate = authority.sign("looked")
    with serving_tls(context_of(certificate, authority.file), REPLY) as strict:
        assert look(strict.place) == "demands a client certificate, which Trackly's API does not."
    with serving(talks_over_tls) as tls:
        assert look(tls.place) == "", "TLS is not what is wrong"
    with serving_tls(context_of(certificate), REPLY) as fine:
        assert look(fine.place, tls=False) == "speaks TLS, and TRACKLY_BASE_URL begins with http://."
    with serving(talks_plainly) as other:
        assert (look(other.place), look(other.place, tls=False)) == ("does not speak TLS.", "")
    with serving(resets) as gone:
        assert look(gone.place) == ""
    assert look(f"127.0.0.1:{wire.closed_port()}") == ""


def test_a_handshake_that_fails_for_another_reason_is_named(
    wire: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL's own reason, and what it may come from; an alert that cannot be sent says the same."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    context = context_of(authority.sign("old"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")  # which no client of today offers
    with serving_tls(context, REPLY) as seen:
        error = ask_quickly(f"https://127.0.0.1:{seen.port}", wire, retry_seconds=0)
        shown = post_json(f"https://127.0.0.1:{seen.port}/s3cret", b"{}", 5)
    for text in (error.message, shown):
        assert "handshake failure, perhaps since the host demands a client certificate" in text


def test_without_a_store_of_the_system_known_authorities_are_trusted(
    wire: Any, good: Seen, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A small container has no store; the authorities that certifi knows take its place, here ours."""
    nowhere = ssl.DefaultVerifyPaths(None, str(tmp_path), "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
    assert "not trusted" in ask(f"https://{good.place}", wire).message
    monkeypatch.setattr(certifi, "where", lambda: str(authority.file))
    assert ask(f"https://{good.place}", wire).status == 200


def test_a_client_certificate_that_nginx_demands(
    wire: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nginx says so on a page of its own."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    certificate, key = authority.sign("demanding")
    verify = f"ssl_verify_client on; ssl_client_certificate {authority.file};"
    block = f"listen PORT ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; {verify}"
    with nginx(tmp_path, block) as port:
        error = ask(f"https://127.0.0.1:{port}", wire)
    assert type(error) is ServiceError
    assert "client certificate" in error.message


@pytest.mark.parametrize(
    "reply", [REPLY, REPLY.replace(b"Connection: close\r\n", b""), b"HTTP/1.1 200 OK\r\n", b""]
)
@pytest.mark.parametrize("revenue", [False, True])
def test_a_connection_ends_with_its_call(
    authority: Authority, wire: Any, monkeypatch: pytest.MonkeyPatch, reply: bytes, revenue: bool
) -> None:
    """A gateway that never says goodbye holds no connection that is not kept: they would pile up."""
    context, ended = context_of(authority.sign("good")), threading.Event()
    is_kept = b"Content" in reply and b"close" not in reply and not revenue

    def handle(connection: socket.socket, _: Seen) -> None:
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as secure:
            request_of(secure)
            secure.sendall(reply)
            raw = socket.socket(fileno=os.dup(secure.fileno()))
            with raw, suppress(ConnectionResetError):
                raw.settimeout(20)
                while raw.recv(65_536):
                    """Goodbye is not answered; only an end counts."""
            ended.set()

    async def run(url: str) -> bool:
        settings = load_settings(
            api_key=wire.KEY, base_url=url, timeout_seconds=1, retry_seconds=0, _env_file=None
        )
        async with TracklyClient(settings) as client:
            with suppress(ServiceError, OutcomeUnknown):
                await (post_revenue(client, b"{}") if revenue else get_page(client, "/lists", "lists"))
            if not is_kept:
                assert await asyncio.to_thread(ended.wait, 15)

    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with serving(handle) as server:
        asyncio.run(run(f"https://{server.place}/api/v2"))
        assert ended.wait(15)
