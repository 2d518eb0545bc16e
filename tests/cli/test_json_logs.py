"""Standard error for machines: TRACKLY_LOG_FORMAT=json."""

import json
import subprocess
from collections.abc import Callable

from pipelines.sandbox import Server, parse_fault

Sync = Callable[..., subprocess.CompletedProcess[str]]


def test_json_logs_are_all_there_is_on_standard_error(sync_apart: Sync, server: Server) -> None:
    """Each line is an object with time, level and the one run of the command, also of an error; results stay."""
    server.faults.active.append(parse_fault("503,path=/lists,times=2"))
    done = sync_apart("pull", "lists", TRACKLY_LOG_FORMAT="json", TRACKLY_LOG_LEVEL="debug")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["event"] for line in lines} >= {"begin", "retry", "end"}
    assert len({line["run"] for line in lines}) == 1
    assert "Published in" in done.stdout
    listed = sync_apart("runs", "--json")
    assert {row["run"] for row in json.loads(listed.stdout)} == {lines[0]["run"]}
    server.faults.active.append(parse_fault("revoke"))
    failed = sync_apart("pull", "lists", TRACKLY_LOG_FORMAT="json", TRACKLY_CONCURENCY="9")
    lines = [json.loads(line) for line in failed.stderr.splitlines()]
    assert any("TRACKLY_CONCURENCY" in line["message"] for line in lines if line["level"] == "info")
    assert failed.returncode == 1
    assert (lines[-1]["level"], "TRACKLY_API_KEY" in lines[-1]["message"] + lines[-1]["remedy"]) == (
        "error",
        True,
    )
    quiet = sync_apart("pull", "lists", TRACKLY_LOG_FORMAT="json", TRACKLY_LOG_LEVEL="error")
    assert len(quiet.stderr.splitlines()) == 1
    assert sync_apart("pull", TRACKLY_LOG_FORMAT="xml").returncode == 2


def test_the_log_of_each_run_is_kept(sync: Sync, server: Server) -> None:
    """What was tried again and why a run failed can be read afterwards, for people and for programs."""
    assert "Begin with: trackly-sync pull" in " ".join(sync("logs").stderr.split())
    server.faults.active.append(parse_fault("503,path=/lists,times=2"))
    assert sync("pull", "lists", "offers").returncode == 0
    shown = sync("logs").stdout
    assert "pull lists begins" in shown
    assert "trying again" in shown
    lines = [json.loads(line) for line in sync("logs", "--json").stdout.splitlines()]
    assert [line["event"] for line in lines].count("end") == 3, "both pulls and the publish"
    assert {line["event"] for line in lines} >= {"begin", "retry", "end"}
    run = lines[0]["run"]
    assert {line["run"] for line in lines} == {run}
    server.faults.active.append(parse_fault("revoke"))
    assert sync("pull", "lists").returncode == 1
    assert "did not accept the API key" in sync("logs").stdout
    assert sync("logs", run[:8], "--json").stdout.splitlines() == [json.dumps(line) for line in lines]
    assert sync("logs", "nonsense").returncode == 2
