"""A running `trackly-sync ui`, for tests that talk to it."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processes import environment
from shadows import write_shadows

from pipelines.settings import Settings

COMMAND = Path(sys.executable).parent / "trackly-sync"
_LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "assets.definitions"}
_LAUNCH = "mutation($p: ExecutionParams!) {launchRun(executionParams: $p) {__typename}}"
_RUNS = "{runsOrError {... on Runs {results {runId jobName status startTime endTime}}}}"


class Ui:
    """A running `trackly-sync ui`.

    Args:
        process: its process; it leads a session.
        port: where the pages are.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310 - loopback
            return json.load(reply)["data"]

    def launch(self, job: str, asset: str) -> None:
        """One asset of it without its checks: two runs are to meet, and need not do much."""
        only = {"assetSelection": [{"path": [asset]}], "assetCheckSelection": []}
        params = {"selector": {**_LOCATION, "jobName": job, **only}, "runConfigData": {}, "mode": "default"}
        assert self.ask(_LAUNCH, p=params)["launchRun"]["__typename"] == "LaunchRunSuccess"

    def runs(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return list(reversed(self.ask(_RUNS)["runsOrError"]["results"]))

    def states(self) -> list[str]:
        return [run["status"] for run in self.runs()]

    def ready(self) -> bool:
        try:
            found = self.ask("{workspaceOrError {... on Workspace {locationEntries {loadStatus}}}}")
        except OSError:
            assert self.process.poll() is None, "it has ended"
            return False
        return all(entry["loadStatus"] == "LOADED" for entry in found["workspaceOrError"]["locationEntries"])


@contextmanager
def serving(settings: Settings) -> Iterator[Ui]:
    """`trackly-sync ui` on the settings' account, up and loaded; none of its processes is left afterwards.

    In a folder with modules of our names, which it must leave alone.
    """
    working = settings.data_dir.parent / "working"
    write_shadows(working)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [str(COMMAND), "ui", "--port", str(port)],
        cwd=working,
        env=environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        ui = Ui(process, port)
        try:
            wait_for(ui.ready, 90, pause=1)
            yield ui
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def wait_for(condition: Callable[[], bool], seconds: float = 120, pause: float = 0.2) -> None:
    """Look again and again; with a longer pause where each look is work for several processes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(pause)
