"""`runs` and `rejects`: what ran, and every row that was left out, for people and for programs."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from commands import started_for_nobody
from oracle import query

from pipelines.sandbox import Account, Server, parse_fault, write_history

COMMAND = Path(sys.executable).parent / "trackly-sync"
Sync = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def left_behind(sync: Sync, account: Account, tmp_path: Path) -> Counter[str]:
    """A pull with a bad row and a push with many; the rows left out by dataset, as their makers say."""
    account.add_contact({**account.contacts()[0], "phone_number": "+15559999999", "revenue_total": "much"})
    assert sync("pull", "contacts", "lists", "offers").returncode == 0
    export = write_history(account, tmp_path / "data" / "history", sends=300)
    assert sync("push").returncode == 3
    return Counter({**export.bad, "contacts": 1})


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_row_left_out_is_shown_with_its_place(
    sync: Sync, left_behind: Counter[str], environment: dict[str, str], tmp_path: Path
) -> None:
    """Each row once, with outcome, reason and place; pipes that close and a warehouse that lags behind do no harm."""
    rows = rows_of(sync("rejects", "--csv").stdout)
    assert Counter(row["dataset"] for row in rows) == left_behind
    assert json.loads(sync("rejects", "--json").stdout) == [
        {
            name: (int(value) if value and name in ("chunk", "line", "row", "page") else value or None)
            for name, value in row.items()
        }
        for row in rows
    ]
    for row in rows:
        assert row["outcome"] in ("quarantined", "parked")
        assert row["reason"]
        assert row["file"] or row["snapshot"]
    bad_phone = next(row for row in rows if row["identity"] == "bad-phone")
    with Path(bad_phone["file"]).open(newline="") as file:
        places = {row["id"]: number for number, row in enumerate(csv.DictReader(file), 1)}
    assert int(bad_phone["row"]) == places["bad-phone"]
    assert (bad_phone["value"], bad_phone["raw"]) == ("to_number: 999-9999", ""), (
        "values only where asked for"
    )
    lines = Path(bad_phone["file"]).read_text().splitlines()
    assert lines[int(bad_phone["line"]) - 1].startswith("bad-phone,")
    shown = rows_of(sync("rejects", "sends", "--csv", "--show-values").stdout)
    bad_phone = next(row for row in shown if row["identity"] == "bad-phone")
    assert bad_phone["value"] == "to_number: 555-0100"
    assert json.loads(bad_phone["raw"])["to_number"] == "555-0100"
    done = sync("rejects")
    assert "the last push did not end" not in done.stderr
    output = done.stdout
    assert "trackly-sync rejects --csv" in output
    (pulled,) = [row for row in rows if row["activity"] == "pull"]
    assert "contacts page 1  quarantined" in output
    assert f"pulled {pulled['at'].replace('T', ' ').removesuffix('Z')} UTC" in output
    assert "555-0100" not in output, "raw rows go only where they are asked for"
    parked = rows_of(sync("rejects", "clicks", "--outcome", "parked", "--csv").stdout)
    assert [(row["dataset"], row["outcome"]) for row in parked] == [("clicks", "parked")]
    assert Counter(row["outcome"] for row in rows if row["activity"] == "push") == Counter(
        dict(
            query(
                Path(environment["TRACKLY_DATA_DIR"]) / "warehouse.duckdb",
                "SELECT outcome, count(*) FROM imports.records WHERE outcome NOT IN ('accepted', 'duplicate')"
                " GROUP BY 1",
            )
        )
    )

    # a reader that goes away, as head -1 does
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [str(COMMAND), "rejects"], env=environment, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    for arguments in (("rejects", "--csv"), ("runs", "--json"), ("--help",)):
        with started_for_nobody(arguments, environment, tmp_path) as process:
            _, complained = process.communicate()
        assert (process.returncode, complained) == (0, b""), arguments
    # a push that was killed before it published its books
    warehouse = tmp_path / "data" / "warehouse.duckdb"
    kept = warehouse.read_bytes()
    with (tmp_path / "data" / "history" / "sends.csv").open("a") as file:
        file.write("late-bad,nonsense" + "," * 7 + "\n")
    assert sync("push", "sends").returncode == 3
    warehouse.write_bytes(kept)
    assert "the last push did not end" in " ".join(sync("rejects").stderr.split())


@pytest.mark.usefixtures("pulled")
def test_reasons_are_summed_up_however_many_there_are(sync: Sync, account: Account, tmp_path: Path) -> None:
    """One line for a code, whatever words came with each row; rows beyond the reasons shown are counted."""
    account.refuse = lambda entity, row: (
        ("invalid_phone", f"{row['id']} is not valid") if entity == "sends" else None
    )
    write_history(account, tmp_path / "data" / "history", sends=300)
    assert sync("push", "sends", TRACKLY_PUSH_CANARY_SHARE="1").returncode == 3
    output = sync("rejects", "sends").stdout
    assert [line.split()[:5] for line in output.splitlines() if "invalid_phone" in line][:1] == [
        ["300", "push", "sends", "rejected", "invalid_phone"]
    ]
    warehouse = tmp_path / "data" / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            "UPDATE imports.records SET code = NULL, reason = identity WHERE outcome = 'rejected'"
        )
    output = sync("rejects", "sends").stdout
    assert "and 288 rows for other reasons" in output
    assert "The first 10 of 303 rows" in output


def test_runs_show_what_happened(sync: Sync, server: Server, environment: dict[str, str]) -> None:
    """Runs are listed newest first, failed ones with their error; one shows its evidence; all go to programs."""
    assert "trackly-sync pull" in sync("runs").stdout
    assert sync("pull", "contacts", "lists").returncode == 0
    server.faults.active.append(parse_fault("revoke"))
    assert sync("pull", "offers").returncode == 1
    server.faults.active.clear()
    listed = sync("runs").stdout.splitlines()
    assert [("failed" in line, "offers" in line) for line in listed[1:3]] == [(True, True), (False, False)]
    rows = rows_of(sync("runs", "--csv").stdout)
    assert {row["activity"] for row in rows} == {"pull offers", "pull contacts", "pull lists", "publish"}
    failed = next(row for row in rows if row["status"] == "failed")
    assert "401" in failed["error"]
    assert environment["TRACKLY_API_KEY"] not in str(rows)
    run = next(row["run"] for row in rows if row["activity"] == "publish")
    shown = sync("runs", run[:8]).stdout
    assert "400 distinct rows read" in shown
    assert [row for row in rows if row["run"] == run][::-1] == rows_of(sync("runs", run, "--csv").stdout)
    assert "Earlier ones: trackly-sync runs --limit 4, or all" in sync("runs", "--limit", "1").stdout
    document = json.loads(sync("runs", run, "--json").stdout)
    assert {made["dataset"]: made["rows"] for made in document["snapshots"]} == {"contacts": 400, "lists": 5}
    assert sync("runs", "nonsense").returncode == 2
    # as a process leaves it that is killed
    mark = Path(environment["TRACKLY_DATA_DIR"]) / "runs" / "20300101T000000.0-1-pull-lists.begun"
    mark.write_text(
        json.dumps({"run": "9dead", "activity": "pull lists", "started_at": "2030-01-01T00:00:00+00:00"})
    )
    assert "pull lists was killed; nothing is half-done, run it again" in sync("status").stdout
    assert sync("runs").stdout.splitlines()[1].split()[3:5] == ["0.0", "s"]
    assert "killed     pull lists" in sync("runs", "9dead").stdout
    sync("pull", "lists")
    assert "was killed" not in sync("status").stdout
    later = sync("runs", "9dead").stdout
    assert "The process was killed" in later
    assert "killed     pull lists" in later
    assert "rows unknown" in later
    assert "unknown" in sync("runs").stdout.splitlines()[1]


def test_shells_complete_names(sync: Sync, environment: dict[str, str]) -> None:
    """The completion script can be had, and it completes commands and names of datasets."""
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # whatever shell the tests are run by
    assert "_TRACKLY_SYNC_COMPLETE" in sync("--show-completion", "bash", **named).stdout
    for words, complete in (("trackly-sync rej", "rejects"), ("trackly-sync push se", "sends")):
        done = sync(
            _TRACKLY_SYNC_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))
        )
        assert done.stdout.split() == [complete], done
    assert environment


@pytest.mark.usefixtures("pulled")
def test_what_looks_like_markup_or_a_formula_is_shown_as_it_is(sync: Sync, tmp_path: Path) -> None:
    """Ids of rows, names of files, and what the rows hold: at the terminal, for a spreadsheet and for a program."""
    history = tmp_path / "data" / "history" / "sends"
    history.mkdir(parents=True)
    nasty = [
        "[/nope]",
        "[bold red]all is well",
        ":smile:",
        "\x1b]0;owned\x07",
        "\u202e1234",
        "=1+1",
        "[a",
        "x\\",
    ]
    lines = [
        json.dumps(
            {"id": one, "to_number": "no phone", "timestamp": "2024-05-03", "list_number": "+15550001111"}
        )
        for one in nasty
    ]
    (history / "a[red].ndjson").write_text("\n".join(lines) + "\n")
    assert sync("push", "sends").returncode == 3
    for arguments in (
        ["rejects"],
        ["rejects", "sends"],
        ["status"],
        ["runs"],
        ["logs"],
        ["push", "--dry-run"],
    ):
        done = sync(*arguments)
        assert "defect" not in done.stderr
        assert not set(done.stdout) & set("\x1b\x07\u202e😄")
    shown = sync("rejects", "--show-values").stdout
    assert all(
        one in shown for one in ("[/nope]", "[bold red]all is well", ":smile:", "\\u202e1234", "a[red]")
    )
    assert [row["identity"] for row in rows_of(sync("rejects", "--csv", "--show-values").stdout)] == [
        "'=1+1" if one == "=1+1" else one for one in nasty
    ]
    assert [row["identity"] for row in json.loads(sync("rejects", "--json", "--show-values").stdout)] == nasty


def test_a_csv_that_goes_to_a_terminal_has_no_escape_sequences() -> None:
    """A terminal would obey them; a file has the text as it is."""
    text = "\x1b]8;;http://there\x1b\\\\x\x9b31m\u202e"
    write = f"write_rows(['a'], [['{text}']], as_json=False, as_csv=True)"
    code = f"from pipelines.cli.terminal.row_stream import write_rows; {write}"
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stdout=theirs, check=True)
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        shown = terminal.read1().decode()
    assert shown.split() == ["a", r"\x1b]8;;http://there\x1b\x\x9b31m\u202e"]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == f"a\n{text}\n".replace("\\\\", "\\")
