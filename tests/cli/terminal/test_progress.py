"""Progress, for a person at a terminal and for a log."""

import logging
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from beginnings import seeded

from pipelines.cli.terminal import progress as progressing
from pipelines.pull.replies.distinct_rows import Distinct
from pipelines.pull.run import pull
from pipelines.push.run import push
from pipelines.sandbox import Account, Server, parse_fault, write_history
from pipelines.settings import Settings

COMMAND = Path(sys.executable).parent / "trackly-sync"


@pytest.fixture
def account() -> Account:
    """Several pages of contacts."""
    return seeded(2_500)


def test_a_person_sees_rows_share_and_retries(
    server: Server, environment: dict[str, str], tmp_path: Path
) -> None:
    """At a terminal bars show rows, share, rate or time left, and retries; the summary follows them."""
    for fault in ("latency,seconds=0.4", "503,path=/contacts,skip=1,times=2"):
        server.faults.active.append(parse_fault(fault))
    ours, theirs = pty.openpty()
    environment = {**environment, "TERM": "xterm", "COLUMNS": "110", "LINES": "24"}
    with subprocess.Popen(
        [str(COMMAND), "pull", "contacts"],
        env=environment,
        cwd=tmp_path,
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
    ) as running:
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += os.read(ours, 65_536)
            except OSError:  # the other side has gone
                break
    os.close(ours)
    shown = seen.decode()
    assert running.returncode == 0
    assert "pull contacts" in shown
    assert "%" in shown
    assert "2 retries" in shown
    assert "2 of them tried again" in shown
    assert shown.index("2 retries") < shown.index("Took")


def test_a_log_has_progress_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Without a terminal there is a line now and then, with rate and time left; a count that falls begins again."""
    clock = iter(range(0, 1_000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(progressing, "_SECONDS_BETWEEN_LINES", 1.0)
    with progressing.progress("push", quiet=False) as report:
        report("sends", 0, 400)
        report("sends", 100, 400)
        report("sends", 10, 400)
        report("sends", 110, 400)
        report("contacts", 0, 400)
        report("contacts", 400, 400)
    shown = " ".join(capsys.readouterr().err.split())
    assert "push sends: 100 of 400 rows" in shown
    assert "read contacts: 400 of 400 rows" in shown, "they are not pushed"
    assert "/s, " in shown
    assert " left" in shown
    assert "push sends: 10 of 400 rows push sends: 110" in shown, (
        "of a pass that has just begun nothing is guessed"
    )
    with progressing.progress("pull", quiet=False) as report:
        report("creatives", 0, 211)
        report("creatives", 200, 211)
        report("creatives", 321, 211)
    grown = " ".join(capsys.readouterr().err.split())
    assert "pull creatives: 321 of 321 rows" in grown
    assert "-" not in grown, "no time is negative"
    with progressing.progress("push", quiet=True) as report:
        report("sends", 100, 400)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progressing, "json_logs", lambda: True)
    caplog.set_level(logging.INFO)
    with progressing.progress("push", quiet=False) as report:
        report("sends", 0, 400)
        report("sends", 100, 400)
    (line,) = [record for record in caplog.records if vars(record).get("event") == "progress"]
    assert (vars(line)["dataset"], vars(line)["rows"], vars(line)["expected"]) == ("sends", 100, 400)


def test_progress_counts_each_row_once_and_ends_at_all_of_them(account: Account, settings: Settings) -> None:
    """However often rows are read or sent: of a pull whose windows overlap, and of a push whose calls are cut off."""
    shown: dict[str, list[tuple[int, int | None]]] = {}

    def note(dataset: str, rows: int, expected: int | None) -> None:
        shown.setdefault(dataset, []).append((rows, expected))

    pull(settings, ["contacts", "lists"], "run", note)
    for name, rows in (("contacts", len(account.contacts())), ("lists", len(account.lists))):
        counts = [done for done, _ in shown.pop(name)]
        assert counts == sorted(counts)
        assert counts[-1] == max(counts) == rows
    write_history(account, settings.history, sends=1_500)
    account.refuse = lambda _, record: ("save_error", "later") if busy.pop(record["id"], None) else None
    busy = {f"old-{number:07}": True for number in range(0, 1_500, 7)}
    push(settings, ["sends"], on_progress=note)
    sending = [done for done, expected in shown["sends"] if expected == 1_500]
    assert sending == sorted(sending)
    assert sending[-1] == 1_500 == len(account.sends)
    assert len(account.log) > 5, "some rows were sent again"


def test_a_scan_of_any_size_is_counted_in_the_same_memory() -> None:
    """Of the rows read, the latest are remembered; what comes again soon after is not counted again."""
    seen = Distinct()
    for start in range(0, 300_000, 900):
        seen.add(range(start, start + 1_000))  # a hundred of each window are the next one's too
    assert seen.count == 300_700
    assert len(seen._older) + len(seen._newer) < 110_000
