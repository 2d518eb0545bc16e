"""What the documentation says is so: its commands run, its queries answer, its reference is the code's."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from commands import Done, trackly_sync
from oracle import query

from pipelines.cli.reference import reference
from pipelines.pull.run import pull
from pipelines.push.outcomes import Outcomes
from pipelines.push.resolve import in_doubt
from pipelines.push.run import push
from pipelines.sandbox import API_KEY, Account, Server, parse_fault, write_history
from pipelines.settings import Settings

ROOT = Path(__file__).parents[2]
BACKFILL = ROOT / "docs" / "backfill.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

NOT_RUN = {
    "ui": "serves until it is stopped; tests/assets starts and stops it",
    "demo": "tests/packaging runs it",
    "webhooks": "serves until it is stopped, and checks a captured request; tests/webhooks does",
    "sandbox": "serves until it is stopped; every test does",
}
"""Commands that the pages name and this test does not run, with the reason."""

_BLOCK = re.compile(r"^```(?:\{ \.)?(\w+)( \.no-run \})?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SAID = re.compile(r"^(?:\.venv/bin/)?trackly-sync ([^#\n]*)", re.MULTILINE)
_PYTHON = re.compile(r"^\.venv/bin/python -c \"([^\"]*)\"", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for name, no_run, text in found if name == language and not no_run]


def commands(page: Path) -> list[list[str]]:
    lines = [line.split() for block in blocks(page, "sh") for line in _SAID.findall(block)]
    return [line for line in lines if line and line[0] not in NOT_RUN]


class _Takes(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@pytest.fixture
def webhook() -> Iterator[str]:
    """A server that takes any message."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Takes) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_commands_run(page: Path, server: Server, account: Account, tmp_path: Path, webhook: str) -> None:
    """One after the other, as a reader would type them, in a new folder with a history to push."""
    write_history(account, tmp_path / "data" / "history", sends=500)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKLY_")}
    environment = {
        **kept,
        "TRACKLY_API_KEY": API_KEY,
        "TRACKLY_BASE_URL": server.url,
        "TRACKLY_ALERT_WEBHOOK": webhook,
    }

    def run(*arguments: str) -> Done:
        return trackly_sync(arguments, environment, tmp_path)

    if commands(page)[0][0] not in ("doctor", "pull"):
        run("pull")
    if any(word in page.read_text(encoding="utf-8") for word in ("rollback", "sync diff")):
        run("pull")
    for line in commands(page):
        done = run(*line)
        assert done.returncode in (0, 3), (line, done.stderr)  # 3: the made-up history has bad rows
    for block in blocks(page, "sh"):
        for script in _PYTHON.findall(block):
            subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)


def test_queries_answer(settings: Settings, account: Account) -> None:
    """Every query of the pages runs on a warehouse that was pulled and pushed to."""
    pull(settings, ["contacts", "lists", "offers", "revenue"], "run")
    own = sum(Decimal(str(row["revenue_total"])) for row in account.contacts())
    write_history(account, settings.history, sends=500)
    push(settings, ["sends", "clicks", "revenue"])
    found = [text for page in PAGES for text in blocks(page, "sql")]
    assert len(found) > 8
    for text in found:
        answer = query(settings.warehouse, text.strip().rstrip(";"))
        if "AS organic" in text:  # also before what was pushed is in the totals
            assert answer == [(own, 0, own)]
            organic = text
    pull(settings, ["contacts"], "after")
    total = sum(Decimal(str(row["revenue_total"])) for row in account.contacts())
    assert total > own
    assert query(settings.warehouse, organic.strip()) == [(total, total - own, own)]


def test_the_reference_is_the_codes() -> None:
    """After a change: python -m pipelines.cli.reference."""
    assert (ROOT / "docs" / "reference.md").read_text(encoding="utf-8") == reference()


def test_the_readme_names_every_setting() -> None:
    """With the reference, it is where people look."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in Settings.model_fields if f"`TRACKLY_{name.upper()}`" not in text]
    assert not missing


def test_links_lead_somewhere() -> None:
    """Every relative link of the pages."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_the_example_maps_another_platforms_export(
    server: Server, account: Account, settings: Settings
) -> None:
    """It can be pushed into the sandbox as it is: no row of the export is lost, and each outcome has one.

    With the fault that the page names, which a pull before the push does not use up, a sale is in doubt, and settled
    by the next push.
    """
    export = ROOT / "docs" / "examples" / "other-platform"
    shutil.copytree(export, settings.history)
    faults = re.findall(
        r"^trackly-sync sandbox --fault (\S+)$", BACKFILL.read_text(encoding="utf-8"), re.MULTILINE
    )
    server.faults.active += map(parse_fault, faults)
    pull(settings, ["contacts", "lists", "offers", "revenue"], "run")
    march = (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))
    report = push(settings, ["sends"], between=march)
    assert report.outcomes["sends"] == Outcomes(9, accepted=3, duplicate=1, quarantined=3, pending=2)
    as_documented = settings.model_copy(update={"settle_seconds": 180.0})
    report = push(as_documented, ["sends", "clicks", "revenue"], wait=False)
    assert report.unsettled.waiting == 1
    assert [doubt.identity for doubt in in_doubt(settings)] == ["record:7001"]
    report = push(settings, ["sends", "clicks", "revenue"])
    assert in_doubt(settings) == []
    assert report.outcomes == {
        "sends": Outcomes(9, accepted=5, duplicate=1, quarantined=3),
        "clicks": Outcomes(5, accepted=2, duplicate=1, quarantined=1, parked=1),
        "revenue": Outcomes(6, accepted=2, duplicate=1, rejected=1, quarantined=1, parked=1),
    }
    for name, file in (("sends", "messages"), ("clicks", "clicks"), ("revenue", "sales")):
        lines = (export / f"export-{file}.csv").read_text(encoding="utf-8").splitlines()
        assert report.outcomes[name].rows_in == len(lines) - 1
    assert account.sends["A-1001"]["timestamp"] == "2025-03-14T13:30:00Z"
    assert account.sends["A-1003"]["delivered"] is False
    assert sorted(row["revenue"] for row in account.revenue[-2:]) == [24.9, 1250]
