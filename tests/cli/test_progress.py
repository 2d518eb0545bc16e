"""Progress, for a person at a terminal and for a log."""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.cli import progress as progressing
from pipelines.sandbox import Server, parse_fault

COMMAND = Path(sys.executable).parent / "trackly-sync"


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
    told = seen.decode()
    assert running.returncode == 0
    assert "pull contacts" in told
    assert "%" in told
    assert "2 retries" in told
    assert "2 of them tried again" in told
    assert told.index("2 retries") < told.index("Took")


def test_a_log_is_told_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal there is a line now and then, with rate and time left; a count that falls begins anew."""
    clock = iter(range(0, 1_000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(progressing, "_SECONDS_BETWEEN_LINES", 1.0)
    with progressing.progress("push", quiet=False) as report:
        report("sends", 0, 400)
        report("sends", 100, 400)
        report("sends", 10, 400)
        report("sends", 110, 400)
    told = " ".join(capsys.readouterr().err.split())
    assert "push sends: 100 of 400 rows" in told
    assert "/s, " in told
    assert " left" in told
    assert "push sends: 10 of 400 rows push sends: 110" in told, (
        "of a pass that has just begun nothing is guessed"
    )
    with progressing.progress("push", quiet=True) as report:
        report("sends", 100, 400)
    assert capsys.readouterr().err == ""
