"""What the documentation says is so: its commands run, its queries answer, its reference is the code's."""

import re
import shlex
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
from beginnings import seeded
from oracle import query, reading
from processes import process
from receiving import arrive, delivery

from pipelines.cli.reference import reference
from pipelines.pull.run import pull
from pipelines.push.outcomes import Outcomes
from pipelines.push.resolve import in_doubt
from pipelines.push.run import push
from pipelines.sandbox import Account, Server, parse_fault, write_history
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
    lines = [shlex.split(line) for block in blocks(page, "sh") for line in _SAID.findall(block)]
    return [line for line in lines if line and line[0] not in NOT_RUN]


class _Takes(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@pytest.fixture
def account() -> Account:
    """A page of contacts."""
    return seeded(300)


@pytest.fixture
def webhook() -> Iterator[str]:
    """A server that takes any message."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Takes) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


_ONE_AFTER_THE_OTHER = """
import sys
from pipelines.cli import main
for line in {lines}:
    sys.argv[1:] = line
    try:
        main()
    except SystemExit as end:
        assert end.code in (None, 0, 3), (line, end.code)  # 3: the made-up history has bad rows
"""


def test_commands_run(account: Account, settings: Settings, webhook: str) -> None:
    """As a reader would type them page by page, the README first; what stands on several pages once.

    In one process, which takes a tenth of the time of one for each. A dozen of them pulls or pushes all that there
    is, so the account and its history have no more than they need.
    """
    account.options.unserved = ("creatives", "audiences", "schedules")
    write_history(account, settings.history, sends=100)
    next(settings.history.glob("clicks.*")).unlink()
    arrive(settings, delivery(1))  # a backup has the queue of events, too
    lines = list(dict.fromkeys(tuple(line) for page in PAGES for line in commands(page)))
    assert len(lines) > 25
    code = _ONE_AFTER_THE_OTHER.format(lines=[list(line) for line in lines])
    with process(code, settings, TRACKLY_ALERT_WEBHOOK=webhook) as ran:
        _, complained = ran.communicate()
    assert ran.returncode == 0, complained.decode()
    scripts = [script for page in PAGES for block in blocks(page, "sh") for script in _PYTHON.findall(block)]
    assert scripts
    for script in dict.fromkeys(scripts):
        subprocess.run([sys.executable, "-c", script], cwd=settings.data_dir.parent, check=True)


def test_queries_answer(settings: Settings, account: Account) -> None:
    """Every query of the pages runs on a warehouse that was pulled and pushed to."""
    pull(settings, ["contacts", "lists", "offers", "revenue"], "run")
    own = sum(Decimal(str(row["revenue_total"])) for row in account.contacts())
    write_history(account, settings.history, sends=200)
    push(settings, ["sends", "clicks", "revenue"])
    found = [text for page in PAGES for text in blocks(page, "sql")]
    assert len(found) > 8
    with reading(settings.warehouse) as connection:
        answers = {text: connection.execute(text.strip().rstrip(";")).fetchall() for text in found}
    (organic,) = (text for text in found if "AS organic" in text)
    assert answers[organic] == [(own, 0, own)], "also before what was pushed is in the totals"
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
    (doubt,) = in_doubt(settings)
    assert doubt.identity in ("record:7001", "record:7003"), (
        "calls go side by side: either is the first to arrive"
    )
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
