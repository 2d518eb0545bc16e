"""A push that is stopped by Ctrl-C or SIGTERM, as a real process: it ends soon, and nothing is lost."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from commands import started
from forked import Forked
from processes import environment, process

from pipelines.cli.shared.attention import behind_notes
from pipelines.push.audit.publish.lost_warehouse import publish_missing_imports
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import push
from pipelines.runs.recording import records
from pipelines.sandbox import Account, Server, parse_fault
from pipelines.settings import Settings
from pipelines.warehouse.swap import reading, replacing

WHATEVER = 120
"""Seconds that a test waits for what must happen, however busy the machine is."""

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]


@contextmanager
def start(settings: Settings, *arguments: str, **more: str) -> Iterator[Forked]:
    given = {"TRACKLY_SETTLE_SECONDS": "0", "TRACKLY_TIMEOUT_SECONDS": "2"} | more
    with started(arguments, environment(settings, **given), Path.cwd()) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: Forked) -> str:
    """Its standard error, so far."""
    return " ".join(process.stderr.read_text(encoding="utf-8").split())


def until(true: Callable[[], object]) -> None:
    """Wait for another process, by what it does."""
    deadline = time.monotonic() + WHATEVER
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)


def called(account: Account, path: str) -> int:
    return sum(request.path == path for request in account.log)


@pytest.fixture
def revenue(many_sends: int, write: Write, offer: str) -> Callable[[int], Counter[str]]:
    """A history of so many rows of revenue whose sends are in the account; returns what is to be there once."""

    def make(rows: int) -> Counter[str]:
        assert rows <= many_sends
        write(
            "revenue.ndjson",
            [{"message_id": f"m{n:06}", "offer_id": offer, "revenue": 2.5} for n in range(rows)],
        )
        return Counter(f"m{n:06}" for n in range(rows))

    return make


def stored(account: Account) -> Counter[str]:
    return Counter(row["message_id"] for row in account.revenue)


@pytest.mark.parametrize(
    ("number", "times", "rows", "code"),
    [
        (signal.SIGTERM, 1, 40, 143),
        (signal.SIGINT, 2, 1_200, 130),  # the first small call
    ],
)
def test_a_push_whose_reply_drips_is_stopped(
    account: Account,
    server: Server,
    settings: Settings,
    revenue: Callable[[int], Counter[str]],
    number: signal.Signals,
    times: int,
    rows: int,
    code: int,
) -> None:
    """The first says what it waits for and ends it in bounded time, the second ends it; the next push settles it."""
    wanted = revenue(rows)
    server.faults.active.append(parse_fault("drip,path=/history/revenue,value=1"))
    longest = "2" if times == 1 else "600"
    with start(settings, "push", "revenue", TRACKLY_TIMEOUT_SECONDS=longest) as pushing:
        until(lambda: account.revenue)
        pushing.send_signal(number)
        until(lambda: "Waiting for the answers" in said(pushing))
        if times == 2:
            pushing.send_signal(number)
        pushing.wait(WHATEVER)
    shown = said(pushing)
    assert pushing.returncode == code
    assert f"for at most {longest} s" in shown
    assert ("Stopped at once" in shown) == (times == 2)
    assert "Traceback" not in shown
    found = outcomes(settings)["revenue"]  # after the second, the call is found when the next push begins
    assert (found.in_doubt > 0, found.accepted) == (True, 0)
    server.faults.active.clear()
    assert push(settings, ["revenue"]).outcomes["revenue"] == Outcomes(rows, accepted=rows)
    assert stored(account) == wanted


def test_a_push_of_sends_whose_replies_drip_is_stopped(
    account: Account, server: Server, settings: Settings, write: Write, some_sends: Some
) -> None:
    """Sends of the calls that were given up are pending, and arrive with the next push."""
    write("sends.ndjson", some_sends(3_000))
    server.faults.active.append(parse_fault("drip,path=/history/sends,value=1,skip=1"))
    with start(settings, "push", "sends") as pushing:
        until(lambda: called(account, "/history/sends") > 1)
        pushing.send_signal(signal.SIGINT)
        pushing.wait(WHATEVER)
    shown = said(pushing)
    assert pushing.returncode == 130
    assert "Waiting for the answers" in shown
    found = outcomes(settings)["sends"]
    assert found.pending + found.accepted == 3_000
    server.faults.active.clear()
    again = push(settings, ["sends"]).outcomes["sends"]
    assert (again.accepted + again.duplicate, len(account.sends)) == (3_000, 3_000)


def test_a_push_is_stopped_while_it_reads_contacts(
    account: Account, server: Server, settings: Settings, revenue: Callable[[int], Counter[str]]
) -> None:
    """A reading is given up at once: nothing was sent."""
    revenue(40)
    server.faults.active.append(parse_fault("drip,path=/contacts,value=1"))
    calls = called(account, "/contacts")
    with start(settings, "push", "revenue", TRACKLY_TIMEOUT_SECONDS="600") as pushing:
        until(lambda: called(account, "/contacts") > calls)
        pushing.send_signal(signal.SIGINT)
        pushing.wait(WHATEVER)
    shown = said(pushing)
    assert (pushing.returncode, stored(account)) == (130, Counter())
    assert "Stopped" in shown
    assert outcomes(settings)["revenue"] == Outcomes(40, pending=40)


def test_a_push_is_stopped_while_it_waits_to_settle(
    account: Account, server: Server, settings: Settings, revenue: Callable[[int], Counter[str]]
) -> None:
    """The wait for a lost call to be old enough ends at once; its rows stay in doubt until a later push."""
    wanted = revenue(40)
    # rows that are there would be found by the first reading, and perhaps before this process has looked
    server.faults.active.append(parse_fault("reset-before,path=/history/revenue,times=1"))
    with start(settings, "push", "revenue", TRACKLY_SETTLE_SECONDS="3000") as pushing:
        until(lambda: outcomes(settings)["revenue"].in_doubt)
        pushing.send_signal(signal.SIGINT)
        pushing.wait(WHATEVER)
    shown = said(pushing)
    assert pushing.returncode == 130, shown
    assert outcomes(settings)["revenue"].in_doubt > 0
    assert push(settings, ["revenue"]).outcomes["revenue"] == Outcomes(40, accepted=40)
    assert stored(account) == wanted


def test_a_push_is_stopped_while_it_takes_files_in(
    settings: Settings, write: Write, some_sends: Some
) -> None:
    """Before anything is sent there is nothing to wait for, and the next push begins again."""
    write("sends.ndjson", some_sends(30_000))
    with start(settings, "push", "sends") as pushing:
        until(lambda: list(settings.data_dir.glob("**/*.duckdb*")))
        pushing.send_signal(signal.SIGINT)
        pushing.wait(WHATEVER)
    shown = said(pushing)
    assert pushing.returncode == 130
    assert "Traceback" not in shown
    write("sends.ndjson", some_sends(500))
    assert push(settings, ["sends"]).outcomes["sends"] == Outcomes(500, accepted=500)


INTAKES = """
import faulthandler, os, signal
import sqlalchemy.dialects.postgresql  # else an import of it may be cut off, and its second one complains
from pipelines.process import interrupts
from pipelines.push.run import intake
from pipelines.settings import load_settings

settings, seconds, stopped = load_settings(), 0.01, 0
faulthandler.dump_traceback_later(100, exit=True)  # where it hangs, if it does

def ended():
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        intake(settings, ["sends"])
        signal.setitimer(signal.ITIMER_REAL, 0)
        return True
    except KeyboardInterrupt:
        return False

interrupts.at_second(lambda: None)
for number in (signal.SIGALRM, signal.SIGINT):
    signal.signal(number, interrupts.interrupt)
while True:
    try:
        if ended():
            break
        stopped += 1
    except KeyboardInterrupt:  # one that Python could not pass on came once more
        pass
    seconds *= 1.25
print(stopped, flush=True)
os._exit(0)
"""


def test_ctrl_c_at_any_moment_of_an_intake_is_nothing_else(
    settings: Settings, write: Write, some_sends: Some
) -> None:
    """Also inside DuckDB, and in what DuckDB calls: neither a file that cannot be read nor a run that failed."""
    write("sends.ndjson", some_sends(6_000))
    with process(INTAKES, settings) as taking_in:
        stopped, complained = taking_in.communicate(timeout=WHATEVER)
    assert taking_in.returncode == 0, complained
    # one that comes while SQLAlchemy closes a connection is in its log
    logged = (b"Exception closing connection", b"Exception during reset")
    assert not complained or complained.startswith(logged), complained
    assert int(stopped) > 0
    assert outcomes(settings)["sends"] == Outcomes(6_000, pending=6_000)
    assert {record.status for record in records(settings.data_dir)} == {"succeeded", "stopped"}


PUBLISHED = """
import signal
from pipelines.process import interrupts
from pipelines.push.audit.publish.publish import outcomes_published
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.send.options import SendChoices
from pipelines.settings import load_settings

settings, seconds, stopped = load_settings(), 0.01, 0

def ended(ledger):
    try:
        with interrupts.taken(), SendChoices().on_record(settings.data_dir, ["sends"]):
            signal.setitimer(signal.ITIMER_REAL, seconds)
            with outcomes_published(settings, ledger):
                pass
            signal.setitimer(signal.ITIMER_REAL, 0)
        return True
    except KeyboardInterrupt:
        return False

signal.signal(signal.SIGINT, signal.SIG_IGN)  # one that Python sends once more may come late
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
with open_ledger(settings) as ledger:
    while not ended(ledger):
        stopped, seconds = stopped + 1, seconds * 1.6
print(stopped)
"""


def test_a_stop_at_any_moment_of_a_publish_is_on_record_as_that(settings: Settings, many_sends: int) -> None:
    """Also inside DuckDB, and where every activity of the push had succeeded; as in Dagster, with other handlers."""
    assert many_sends
    before = len(records(settings.data_dir))
    with process(PUBLISHED, settings) as publishing:
        stopped, complained = publishing.communicate(timeout=WHATEVER)
    assert publishing.returncode == 0, complained
    made = Counter((one.activity, one.status, one.error) for one in records(settings.data_dir)[before:])
    assert made == {("push sends", "stopped", None): int(stopped)}
    assert int(stopped) > 0


HELD = """
import signal, sys
from pipelines.cli import main

def hold(event, arguments):
    if event == "shutil.copyfile" and str(arguments[1]).endswith(".building"):
        signal.raise_signal(signal.SIGSTOP)

sys.addaudithook(hold)  # called where a publish begins to copy the warehouse
sys.argv[1:] = ["push", "revenue"]
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_warehouse_that_is_behind_says_so_until_it_is_not(
    account: Account, settings: Settings, revenue: Callable[[int], Counter[str]], number: signal.Signals
) -> None:
    """However a push ended while it published: the next push brings the rows in, and so does a pull."""
    wanted = revenue(40)
    assert not behind_notes(settings), "nothing was pushed that is not published"
    with process(HELD, settings) as pushing:
        until(lambda: pushing.state == "T")
        assert not behind_notes(settings), "a push that goes on publishes when it ends"
        pushing.send_signal(number)
        pushing.send_signal(signal.SIGCONT)
        pushing.wait(WHATEVER)
    last = [(one.activity, one.status) for one in records(settings.data_dir)][-1]
    assert last == ("push revenue", "succeeded" if number == signal.SIGKILL else "stopped")
    (note,) = behind_notes(settings)
    assert "the warehouse is behind the ledger" in note
    assert "40 accepted rows among them. Run: trackly-sync push" in note
    if number == signal.SIGKILL:
        with replacing(settings.warehouse) as connection:
            connection.execute("UPDATE sync.version SET ledger = NULL")
        assert not behind_notes(settings), "an older program published it"
        with replacing(settings.warehouse) as connection:
            connection.execute("TRUNCATE imports.chunks; TRUNCATE imports.records")
        assert "1,340 accepted rows" in behind_notes(settings)[0], "no push has published anything yet"
    if number == signal.SIGINT:
        publish_missing_imports(settings)  # as a pull does
    else:
        push(settings, ["revenue"])
    assert not behind_notes(settings)
    with reading(settings.warehouse) as connection:
        accepted = "FROM imports.records WHERE dataset = 'revenue' AND outcome = 'accepted'"
        assert connection.execute(f"SELECT count(*), sum(revenue) {accepted}").fetchall() == [(40, 100)]
    assert stored(account) == wanted


LOST = """
import signal, time
from pipelines.process import interrupts

class Slow:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def del_and_wait(given):
    del given
    time.sleep(WHATEVER)

left = []
signal.signal(signal.SIGINT, interrupts.interrupt)
interrupts.at_second(lambda: left.append(1))
try:
    del_and_wait(Slow())
except KeyboardInterrupt:
    print("came", len(left))
"""


def test_ctrl_c_that_python_cannot_pass_on_comes_once_more() -> None:
    """While an object is put away no error leaves: it would be gone, and the command would go on to its end.

    It still counts as one, so that it ends no work by force.
    """
    done = run_script(LOST.replace("WHATEVER", str(WHATEVER)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "came 0\n", "")


def run_script(script: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in a process of its own, which signals may hit at any moment."""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["pydantic", "pipelines.cli.commands.status"])
def test_ctrl_c_while_modules_are_imported_leaves_no_traceback(module: str) -> None:
    """Importing them takes a while, and there is nothing to stop yet."""
    script = (
        "import signal, sys; from pipelines.cli import main\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder()); sys.argv[1:] = ['status']; main()"
    )
    done = run_script(script)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped. Nothing was done.\n")


def test_a_pull_whose_replies_drip_is_stopped(server: Server, account: Account, settings: Settings) -> None:
    """A pull ends at the first Ctrl-C, and leaves nothing half-done."""
    server.faults.active.append(parse_fault("drip,path=/contacts,value=1"))
    settings.data_dir.mkdir(exist_ok=True)
    with start(settings, "pull", "contacts", TRACKLY_TIMEOUT_SECONDS="600") as pulling:
        until(lambda: called(account, "/contacts"))
        pulling.send_signal(signal.SIGINT)
        pulling.wait(WHATEVER)
    shown = said(pulling)
    assert pulling.returncode == 130
    assert "Traceback" not in shown
    assert not settings.warehouse.exists()
