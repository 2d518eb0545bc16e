"""A deployment as a whole, in a real browser too: what it takes up, and that other pages and users start nothing."""

import http.server
import json
import os
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
from browsing import CHROMIUM, Browser, browsing
from dagster_records import begin_run
from processes import of_session
from serving import Ui, serving, wait_for

from assets.runs.pools import POOLS
from pipelines.cli.commands.ui import dagster_home
from pipelines.sandbox import Account
from pipelines.settings import Settings

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


def start_nothing(browser: Browser, ui: Ui) -> None:
    """All ways in at once, from another origin, by a rebound name, as another user."""
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


def press_the_button(browser: Browser, ui: Ui) -> None:
    """On an asset's page, as a person does; the page may also listen to what its runs say."""
    before = len(ui.runs())
    browser.open(f"http://127.0.0.1:{ui.port}/assets/lists")
    button = "[...document.querySelectorAll('button')].find(b => /^Materialize/.test(b.innerText))"
    wait_for(lambda: browser.value(f"!!{button} && !{button}.disabled"))
    browser.value(
        "new WebSocket(`ws://${location.host}/graphql`, 'graphql-ws').onopen = () => { window.listens = true; }"
    )
    wait_for(lambda: browser.value("window.listens === true"))
    browser.value(f"{button}.click()")
    wait_for(lambda: len(ui.runs()) == before + 1, pause=1)


def leave_a_run(home: Path) -> None:
    """As a process leaves it that was killed: it is under way for ever."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        begin_run(instance, "pull", "lists", dg.DagsterRunStatus.STARTED)


def limits_of_pools(home: Path) -> dict[str, int]:
    """By which runs that wait together start one after the other: tests/assets/ui/test_serve.py."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_it_takes_up_limits_its_runs_and_starts_nothing_for_others(
    account: Account, settings: Settings, tmp_path: Path
) -> None:
    """A run that was killed is marked and blocks nobody; pools are limited; others start nothing; the page works.

    One deployment and one browser for all of it, since each takes seconds. SIGTERM ends all of its processes.
    """
    home = dagster_home(settings.data_dir)
    leave_a_run(home)
    options = ("--host-resolver-rules=MAP evil.example 127.0.0.1", "--window-size=1400,1000")
    with serving(settings) as ui, ExitStack() as stack:
        assert ui.states() == ["FAILURE"]
        assert limits_of_pools(home) == dict.fromkeys(POOLS, 1)
        if CHROMIUM:
            browser = stack.enter_context(browsing(tmp_path / "profile", *options))
            start_nothing(browser, ui)
            assert ui.states() == ["FAILURE"]
            assert not account.log, "the key went nowhere"
            press_the_button(browser, ui)
            browser.open("about:blank")
        else:
            ui.launch("pull", "lists")
        wait_for(lambda: ui.states()[1:] == ["SUCCESS"], pause=1)
        leader = ui.process.pid
    wait_for(lambda: not of_session(leader))
