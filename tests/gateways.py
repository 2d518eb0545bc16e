"""Real nginx and haproxy between a client and the sandbox, on loopback, for the length of a block."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PREFIX = "/api/v2"
_TEMPS = "client_body proxy fastcgi uwsgi scgi"

_NGINX = """
daemon off;
master_process off;
pid {root}/pid;
error_log {root}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  {temps}
  server {{
    listen 127.0.0.1:{port};
    proxy_http_version 1.1;
    {server}
    location / {{ proxy_pass http://{upstream}; }}
    location {path} {{ proxy_pass http://{upstream}; {location} }}
  }}
}}
"""

_HAPROXY = """
defaults
  mode http
  retries 0
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:{port}
  use_backend slow if {{ path_beg {path} }}
  default_backend account
backend slow
  {backend}
  server account {upstream}
backend account
  server account {upstream}
"""


class Gateway:
    """A gateway that runs.

    Attributes:
        url: the base URL of the account behind it.
    """

    def __init__(self, command: list[str], port: int, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{port}{PREFIX}"
        self._command, self._port, self._folder = command, port, folder
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            self._command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            assert self._process.poll() is None, f"{self._command[0]} did not start"
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, with every connection through it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@contextmanager
def nginx(
    upstream: str, path: str = f"{PREFIX}/history/", location: str = "", server: str = ""
) -> Iterator[Gateway]:
    """Nginx before an account.

    Args:
        upstream: the account's base URL.
        path: the paths that `location` is about.
        location: directives for these.
        server: directives for all of it, such as further locations.
    """
    with _folder() as root:
        temps = " ".join(f"{name}_temp_path {root}/{name};" for name in _TEMPS.split())
        given = {"path": path, "location": location, "server": server, "temps": temps}
        with _running("nginx", _NGINX, ["nginx", "-p", str(root), "-c"], root, upstream, given) as gateway:
            yield gateway


@contextmanager
def haproxy(upstream: str, path: str = f"{PREFIX}/history/", backend: str = "") -> Iterator[Gateway]:
    """Haproxy before an account.

    Args:
        upstream: the account's base URL.
        path: the paths that `backend` is about.
        backend: its lines, such as `timeout server 1s`.
    """
    with _folder() as root:
        given = {"path": path, "backend": backend}
        with _running("haproxy", _HAPROXY, ["haproxy", "-db", "-f"], root, upstream, given) as gateway:
            yield gateway


def masked(status: int) -> str:
    """Nginx's directives for a page of its own, with this status, in place of each time-out."""
    target = " https://login.example/" if 300 <= status < 400 else ""
    return f"location @masked {{ return {status}{target}; }} error_page 502 503 504 = @masked;"


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gateway") as root:
        yield Path(root)


@contextmanager
def _running(
    program: str, template: str, command: list[str], root: Path, upstream: str, given: dict[str, str]
) -> Iterator[Gateway]:
    if shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") is None:
        pytest.skip(f"{program} is not installed: apt-get install {program}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = root / "conf"
    text = template.format(root=root, port=port, upstream=urlsplit(upstream).netloc, **given)
    file.write_text(text, encoding="utf-8")
    executable = shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    gateway = Gateway([str(executable), *command[1:], str(file)], port, root)
    try:
        yield gateway
    finally:
        gateway.kill()
