"""The UI in a real browser: another page starts nothing, by whatever way; the page itself works as before."""

import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import Ui, serving, wait_for
from websockets.sync.client import ClientConnection, connect

from pipelines.sandbox import Account
from pipelines.settings import Settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")

LAUNCH = "mutation($p: ExecutionParams!) {launchRun(executionParams: $p) {__typename}}"
SELECTOR = {
    "repositoryName": "__repository__", "repositoryLocationName": "assets.definitions", "jobName": "pull",
    "assetSelection": [{"path": ["lists"]}], "assetCheckSelection": [],
}  # fmt: skip
VARIABLES = {"p": {"selector": SELECTOR, "runConfigData": {}, "mode": "default"}}
BODY = json.dumps({"query": LAUNCH, "variables": VARIABLES})

ATTACKS = """<html><body><img id=image><iframe id=frame></iframe><iframe name=sink></iframe>
<form id=form method=post target=sink enctype="text/plain"></form><script>
const target = TARGET, body = BODY, get = target + "?" + QUERY, tried = [];
document.getElementById("image").src = get;
document.getElementById("frame").src = target.replace("/graphql", "/");
const form = document.getElementById("form"), field = document.createElement("input");
field.name = body.slice(0, -1) + ',"x":"'; field.value = '"}'; form.append(field);
form.action = target; form.submit();
const ways = [
  fetch(get, {mode: "no-cors"}), fetch(get, {mode: "no-cors", credentials: "include"}),
  fetch(target, {method: "POST", body, mode: "no-cors"}),
  fetch(target, {method: "POST", body, headers: {"content-type": "text/plain"}}),
  fetch(target, {method: "POST", body, headers: {"content-type": "application/json"}}),
  new Promise(done => {
    const socket = new WebSocket(target.replace("http", "ws"), "graphql-ws");
    socket.onopen = () => {
      socket.send(JSON.stringify({type: "start", id: "1", payload: JSON.parse(body)}));
      setTimeout(() => done("opened"), 2000);
    };
    socket.onerror = () => done("closed");
  }),
];
Promise.allSettled(ways).then(all => {
  document.title = "tried " + all.map(one => one.value || "failed").join(" ");
});
</script></body></html>"""


class Browser:
    """A page of a browser, by its debugging protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._number = connection, 0

    def do(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(60))
            if answer.get("id") == self._number:
                return answer["result"]

    def value(self, expression: str) -> Any:
        return self.do("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def open(self, url: str) -> None:
        self.do("Page.navigate", url=url)


@contextmanager
def browsing(profile: Path, *options: str) -> Iterator[Browser]:
    """A fresh Chromium; options such as host names that it is to take for others."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--remote-debugging-port=0", "--remote-allow-origins=*", f"--user-data-dir={profile}", *options,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            found = profile / "DevToolsActivePort"
            wait_for(lambda: found.exists() and len(found.read_text().splitlines()) == 2)
            port = found.read_text().splitlines()[0]
            request = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - loopback
                page = json.load(reply)["webSocketDebuggerUrl"]
            with connect(page, max_size=None) as connection:
                yield Browser(connection)
        finally:
            process.terminate()


@contextmanager
def page_of_somebody(text: str) -> Iterator[int]:
    """A web server of somebody else with one page; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def attack_on(host: str, port: int) -> str:
    query = urllib.parse.urlencode({"query": LAUNCH, "variables": json.dumps(VARIABLES)})
    target = json.dumps(f"http://{host}:{port}/graphql")
    return (
        ATTACKS.replace("TARGET", target)
        .replace("BODY", json.dumps(BODY))
        .replace("QUERY", json.dumps(query))
    )


def as_nobody(ui: Ui) -> bytes:
    """What another user of the machine gets for the same request, in raw bytes."""
    request = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{ui.port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\nConnection: close\r\n\r\n{BODY}"
    ).encode()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        with socket.socket() as connection:
            connection.connect(("127.0.0.1", ui.port))
            connection.sendall(request)
            os.write(writing, connection.recv(65_536))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        found = answer.read()
    os.waitpid(child, 0)
    return found


def test_other_pages_and_other_users_start_nothing_and_the_page_works(
    account: Account, settings: Settings, tmp_path: Path
) -> None:
    """All ways in at once, from another origin, by a rebound name, as another user; then the page's own button."""
    options = ("--host-resolver-rules=MAP evil.example 127.0.0.1", "--window-size=1400,1000")
    with serving(settings) as ui, browsing(tmp_path / "profile", *options) as browser:
        for name in ("127.0.0.1", "localhost"):
            with page_of_somebody(attack_on(name, ui.port)) as port:
                browser.open(f"http://127.0.0.1:{port}/")
                wait_for(lambda: str(browser.value("document.title")).startswith("tried"))
                assert browser.value("document.title").endswith("closed"), "the WebSocket too"
            browser.open("about:blank")
            wait_for(lambda: browser.value("document.title") == "")
        browser.open(f"http://evil.example:{ui.port}/")
        wait_for(lambda: "not served here" in str(browser.value("document.body.innerText")))
        sent = f"fetch('/graphql', {{method: 'POST', body: {json.dumps(BODY)}, headers: {{'content-type': "
        browser.value(sent + "'application/json'}}).then(r => document.title = 'status ' + r.status)")
        wait_for(lambda: browser.value("document.title") == "status 403")
        if os.getuid() == 0:
            assert b" 403 " in as_nobody(ui).splitlines()[0]
        assert ui.runs() == []
        assert account.log == [], "the key went nowhere"
        browser.open(f"http://127.0.0.1:{ui.port}/locations/assets.definitions/jobs/pull")
        button = "[...document.querySelectorAll('button')].find(b => /Materialize all/.test(b.innerText))"
        wait_for(lambda: browser.value(f"!!{button} && !{button}.disabled"))
        browser.value(f"{button}.click()")
        wait_for(lambda: len(ui.runs()) == 1)
        wait_for(lambda: ui.states() == ["SUCCESS"])
        browser.open(f"http://127.0.0.1:{ui.port}/runs/{ui.run_ids()[0]}")
        wait_for(lambda: "RUN_SUCCESS" in str(browser.value("document.body.innerText")))
