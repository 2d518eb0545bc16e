"""What stands between us and an account in the world outside: TLS, certificates, nginx, squid, a proxy that records.

All of it runs on loopback, in a folder of the test's own.
"""

import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def needs(program: str) -> str:
    """The path of a program, or the test is skipped."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
"""A key for `openssl req`; to find one for RSA takes a hundred times as long."""


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([needs("openssl"), *arguments], cwd=folder, check=True, capture_output=True)


class Authority:
    """A certificate authority that nobody knows, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ca.pem"
        self._signed: dict[tuple[str, str, int], tuple[Path, Path]] = {}
        made = ("req", "-x509", *KEY, "-days", "30", "-subj", "/CN=Test authority")
        openssl(folder, *made, "-keyout", "ca.key", "-out", "ca.pem")

    def sign(self, name: str, names: str = "DNS:localhost,IP:127.0.0.1", days: int = 10) -> tuple[Path, Path]:
        """A certificate for some names, and its key; with days below 0 it has expired. Each is made once."""
        if (name, names, days) in self._signed:
            return self._signed[name, names, days]
        stem = f"{name}-{len(self._signed)}"
        made = ("req", *KEY, "-subj", f"/CN={name}")
        openssl(self.folder, *made, "-keyout", f"{stem}.key", "-out", f"{stem}.csr")
        (self.folder / "names.cnf").write_text(f"subjectAltName={names}\n")
        signed = (
            "x509",
            "-req",
            "-in",
            f"{stem}.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
        )
        more = ("-days", str(days), "-extfile", "names.cnf")
        openssl(self.folder, *signed, *more, "-out", f"{stem}.pem")
        self._signed[name, names, days] = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        return self._signed[name, names, days]

    def self_signed(self) -> tuple[Path, Path]:
        made = ("req", "-x509", *KEY, "-days", "30", "-subj", "/CN=localhost")
        names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        openssl(self.folder, *made, *names, "-keyout", "own.key", "-out", "own.pem")
        return self.folder / "own.pem", self.folder / "own.key"


@dataclass
class Seen:
    """What a small server was sent: the head of each connection, and how many connections there were."""

    port: int
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"


def _relay(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _head_of(client: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and (chunk := client.recv(65536)):
        head += chunk
    return head


def request_of(client: socket.socket) -> bytes:
    """A request, read to the end of its body: what closes with bytes unread resets the connection."""
    received = _head_of(client)
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = (int(lengths[0]) if lengths else 0) - len(body)
    while left > 0 and (chunk := client.recv(left)):
        received += chunk
        left -= len(chunk)
    return received


@contextmanager
def serving(handle: "object") -> Iterator[Seen]:
    """A server on a thread, `handle(connection, seen)` for each connection on a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = Seen(listener.getsockname()[1])

    def one(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(20)
            handle(connection, seen)  # type: ignore[operator]

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                seen.connections += 1
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield seen
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@contextmanager
def serving_tls(context: ssl.SSLContext, reply: bytes) -> Iterator[Seen]:
    """A TLS server that gives one reply to each request."""

    def handle(connection: socket.socket, seen: Seen) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            seen.heads.append(request_of(secure))
            secure.sendall(reply)

    with serving(handle) as seen:
        yield seen


@contextmanager
def recording_proxy(target: tuple[str, int]) -> Iterator[Seen]:
    """A proxy that notes what it is asked for, and passes everything to one place, whatever the name."""

    def handle(client: socket.socket, seen: Seen) -> None:
        head = _head_of(client)
        seen.heads.append(head)
        with socket.create_connection(target) as server:
            if head.startswith(b"CONNECT "):
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                first, _, rest = head.partition(b"\r\n")
                method, url, version = first.split(b" ")
                server.sendall(b" ".join((method, b"/" + url.split(b"/", 3)[3], version)) + b"\r\n" + rest)
            back = threading.Thread(target=_relay, args=(server, client), daemon=True)
            back.start()
            _relay(client, server)
            back.join()

    with serving(handle) as seen:
        yield seen


@contextmanager
def program(arguments: list[str], port: int, folder: Path) -> Iterator[None]:
    """A server of another project, from its start until its port answers, until it is ended."""
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(arguments, stdout=log, stderr=log) as server,
    ):
        try:
            for _ in range(600):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert server.poll() is None, (folder / "server.log").read_text()
                time.sleep(0.05)
            else:
                pytest.fail("the server does not answer")
            yield
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


@contextmanager
def nginx(folder: Path, server: str) -> Iterator[int]:
    """Nginx with one server block, in which PORT stands for its port."""
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"""daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr warn;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ {server.replace("PORT", f"127.0.0.1:{port}")} }}
}}
"""
    )
    with program([needs("nginx"), "-c", str(folder / "nginx.conf")], port, folder):
        yield port


@contextmanager
def squid(user: str, password: str) -> Iterator[Seen]:
    """Squid that lets in only who logs in."""
    command, port = needs("squid"), free_port()
    helper = Path("/usr/lib/squid/basic_ncsa_auth")
    if not helper.exists():
        pytest.skip("squid's basic_ncsa_auth is not installed")
    hashed = subprocess.run(
        [needs("openssl"), "passwd", "-apr1", password], capture_output=True, text=True, check=True
    )
    with (
        tempfile.TemporaryDirectory() as name
    ):  # not below pytest's: squid gives its rights away when it starts
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "users").write_text(f"{user}:{hashed.stdout}")
        (folder / "users").chmod(0o644)
        (folder / "squid.conf").write_text(
            f"""http_port 127.0.0.1:{port}
auth_param basic program {helper} {folder}/users
acl people proxy_auth REQUIRED
http_access allow people
http_access deny all
cache deny all
access_log none
cache_log /dev/null
pid_filename none
shutdown_lifetime 0 seconds
"""
        )
        with program([command, "-N", "-f", str(folder / "squid.conf")], port, folder):
            yield Seen(port)
