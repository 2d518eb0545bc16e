"""What the logs hold, and what they never hold."""

import csv
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from beginnings import seeded

from pipelines.errors import TracklySyncError
from pipelines.logs import JsonLines, kept_logs, logged_to_file
from pipelines.pull.run import pull
from pipelines.push.run import push
from pipelines.runs.recording import recorded
from pipelines.sandbox import API_KEY, Account, Server, parse_fault, write_history
from pipelines.settings import Settings
from schemas.registry import PULLED, PUSHED


@pytest.fixture
def account() -> Account:
    """Two pages of contacts."""
    return seeded(1_100)


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """Every line that any library logs at any level, as JSON."""
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    before, quieted = (
        root.level,
        {
            name: logging.getLogger(name).level
            for name in ("httpx", "httpcore", "sqlalchemy.engine", "pipelines")
        },
    )
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in quieted:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield shown
    root.removeHandler(handler)
    root.setLevel(before)
    for name, level in quieted.items():
        logging.getLogger(name).setLevel(level)


def personal(account: Account, history: Path) -> set[str]:
    """What must not be logged: phones, texts and custom fields of the account and of the history files."""
    found = {str(row["phone_number"]) for row in account.contacts()}
    found |= {str(value) for row in account.contacts() for value in (row["custom_fields"] or {}).values()}
    with (history / "sends.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found |= {row["to_number"], row["message"]}
    return {value for value in found if len(value) > 5}


def test_logs_have_all_that_happened_and_nothing_personal(
    settings: Settings,
    server: Server,
    account: Account,
    everything_logged: io.StringIO,
    settings_of: Callable[..., Settings],
) -> None:
    """At debug level, with faults on: events with their figures, a run on each line, no personal data, no key."""
    for row in account.contacts()[:300]:
        row["custom_fields"] = {"note": f"likes {row['phone_number'][-6:]}"}
    account.add_contact({**account.contacts()[0], "phone_number": "+15559999999", "revenue_total": "much"})
    account.refuse = lambda _, row: (
        ("invalid_phone", f"{row['to_number']} is no number") if row.get("id", "").endswith("7") else None
    )
    write_history(account, settings.history, sends=300)
    for fault in (
        "503,rate=0.2,times=5",
        "truncate,path=/contacts,times=1",
        "reset-after,path=/history/revenue,times=1",
    ):
        server.faults.active.append(parse_fault(fault))
    pull(settings, list(PULLED), "run-of-the-pull")
    push(settings, list(PUSHED), run="run-of-the-push")
    refused = settings_of(server.url, settings.data_dir, api_key="trk_" + "wr0ngkey" * 4)
    with pytest.raises(TracklySyncError):
        pull(refused, ["contacts"], "run-refused")
    shown = everything_logged.getvalue()
    files = kept_logs(settings.data_dir / "logs")
    assert list(files) == ["run-of-the-pull", "run-of-the-push", "run-refused"]
    shown += "".join(path.read_text(encoding="utf-8") for path in files.values())

    for secret in (API_KEY, API_KEY[4:], "wr0ngkey"):
        assert secret not in shown
    leaked = {value for value in personal(account, settings.history) if value in shown}
    assert not leaked
    assert not re.search(r"\+1555\d{7}", shown)

    lines = [json.loads(line) for line in shown.splitlines()]
    ours = [line for line in lines if line["logger"].startswith("pipelines")]
    assert {line["run"] for line in ours} == {"run-of-the-pull", "run-of-the-push", "run-refused"}
    events = {line.get("event") for line in ours}
    assert events >= {"begin", "end", "retry", "chunk", "quarantine", "in_doubt"}
    ended = {(line["activity"], line["status"]): line for line in ours if line.get("event") == "end"}
    assert ended["pull contacts", "succeeded"]["rows"] == len(account.contacts()) - 1
    assert ended["pull contacts", "failed"]["run"] == "run-refused"
    retried = sum(line.get("event") == "retry" for line in ours)
    assert retried >= ended["pull contacts", "succeeded"]["details"]["retries"] > 0


def test_the_oldest_logs_give_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many runs are kept as there may be; a run that goes on in another process goes on in its file."""
    monkeypatch.setattr("pipelines.logs._RUNS_KEPT", 3)
    for run in ("a", "b", "c", "d", "a-b", "d"):
        with recorded(tmp_path, run, "pull lists"):
            pass
    files = kept_logs(tmp_path / "logs")
    assert list(files) == ["c", "d", "a-b"]
    assert len(files["d"].read_text().splitlines()) == 4
    assert len(files["a-b"].read_text().splitlines()) == 2


def test_the_level_of_others_is_left_as_it_was(tmp_path: Path) -> None:
    """However the blocks of runs overlap, the engine's logger is in the end what it was."""
    engine = logging.getLogger("pipelines")
    before = engine.level
    blocks = [logged_to_file(tmp_path, run) for run in ("a", "a", "b")]
    for block in blocks:
        block.__enter__()
    assert engine.isEnabledFor(logging.INFO)
    assert len(engine.handlers) == 2
    for block in blocks:
        block.__exit__(None, None, None)
    assert (engine.level, engine.handlers) == (before, [])
