"""Standard error for machines: TRACKLY_LOG_FORMAT=json."""

import json
import subprocess
from collections.abc import Callable

from pipelines.sandbox import Server, parse_fault

Sync = Callable[..., subprocess.CompletedProcess[str]]


def test_json_logs_are_all_there_is_on_standard_error(sync: Sync, server: Server) -> None:
    """Each line is an object with time, level and the one run of the command, also of an error; results stay."""
    server.faults.active.append(parse_fault("503,path=/lists,times=2"))
    done = sync("pull", "lists", TRACKLY_LOG_FORMAT="json", TRACKLY_LOG_LEVEL="debug")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["event"] for line in lines} >= {"begin", "retry", "end"}
    assert len({line["run"] for line in lines}) == 1
    assert "Published in" in done.stdout
    listed = sync("runs", "--json")
    assert {row["run"] for row in json.loads(listed.stdout)} == {lines[0]["run"]}
    server.faults.active.append(parse_fault("revoke"))
    failed = sync("pull", "lists", TRACKLY_LOG_FORMAT="json")
    lines = [json.loads(line) for line in failed.stderr.splitlines()]
    assert failed.returncode == 1
    assert (lines[-1]["level"], "TRACKLY_API_KEY" in lines[-1]["message"] + lines[-1]["remedy"]) == (
        "error",
        True,
    )
    quiet = sync("pull", "lists", TRACKLY_LOG_FORMAT="json", TRACKLY_LOG_LEVEL="error")
    assert len(quiet.stderr.splitlines()) == 1
    assert sync("pull", TRACKLY_LOG_FORMAT="xml").returncode == 2
